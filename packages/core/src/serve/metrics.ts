/** One request that has been answered, for logs and figures. */
export interface Access {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly client: string;
  readonly user?: string;
  readonly method: string;
  /** As it was sent. */
  readonly target: string;
  readonly route: string;
  /** 499 where the client went away before the end. */
  readonly status: number;
  /** Bytes of bodies. */
  readonly received: number;
  readonly sent: number;
  /** In milliseconds. */
  readonly took: number;
  readonly agent?: string;
}

/** Methods that are told apart; whatever else somebody sends is one more. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Figures in Prometheus' text form. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  #sent = 0;
  #received = 0;
  #seconds = 0;
  #sound = 0;
  #damaged = 0;

  add({ method, route, status, sent, received, took }: Access): void {
    const labels = `method="${methods.has(method) ? method : 'other'}",route="${route}",status="${status}"`;
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
    this.#sent += sent;
    this.#received += received;
    this.#seconds += took / 1000;
  }

  verified(sound: boolean): void {
    if (sound) this.#sound += 1;
    else this.#damaged += 1;
  }

  /** `uploads` and `connections` are those of this moment. */
  text(gauges: { readonly uploads: number; readonly connections: number }): string {
    const requests = [...this.#requests].sort().map(([labels, count]) => `oci_tar_http_requests_total{${labels}} ${count}\n`);
    return [
      metric('oci_tar_http_requests_total', 'counter', 'Requests that were answered.'),
      ...requests,
      single('oci_tar_http_request_seconds_total', 'counter', 'Time spent on requests.', Number(this.#seconds.toFixed(3))),
      single('oci_tar_http_sent_bytes_total', 'counter', 'Bytes of the bodies that were sent.', this.#sent),
      single('oci_tar_http_received_bytes_total', 'counter', 'Bytes of the bodies that were received.', this.#received),
      single('oci_tar_blobs_verified_total', 'counter', 'Blobs that were read whole and found sound.', this.#sound),
      single('oci_tar_blobs_damaged_total', 'counter', 'Times that a blob was read whole and found damaged.', this.#damaged),
      single('oci_tar_uploads', 'gauge', 'Uploads under way.', gauges.uploads),
      single('oci_tar_connections', 'gauge', 'Open connections.', gauges.connections),
    ].join('');
  }
}

function metric(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function single(name: string, type: string, help: string, value: number): string {
  return `${metric(name, type, help)}${name} ${value}\n`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A request in the combined log format, as other servers write it, and the milliseconds that it took. Without a line's end. */
export function accessLine({ at, client, user, method, target, status, sent, took, agent }: Access): string {
  const time = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${two(time.getUTCDate())}/${months[time.getUTCMonth()]}/${time.getUTCFullYear()}:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`;
  return `${client} - ${safe(user ?? '-').replace(/ /g, '\\x20')} [${date}] "${safe(method)} ${safe(target)} HTTP/1.1" ${status} ${sent} "-" "${safe(agent ?? '-')}" ${Math.round(took)}ms`;
}

/** What a client sends must neither end a line of the log nor steer a terminal. */
function safe(text: string): string {
  return text.slice(0, 1000).replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`);
}
