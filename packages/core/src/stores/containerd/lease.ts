import { randomBytes } from 'node:crypto';
import type { CallOptions, Connection } from './connection.ts';
import { engineError } from './failure.ts';
import { nothing } from './messages.ts';

/** After that a lease no longer holds: as long as ctr's own, so that a killed process leaves nothing for ever. */
const lifetime = 24 * 60 * 60 * 1000;

/** How long the end of a session waits for a containerd that may be gone. */
const patience = 10_000;

/** What containerd must not collect: everything that is made through `connection`, and what is added. */
export class Lease {
  /** Calls that are under the lease. */
  readonly connection: Connection;
  readonly #id: string;

  private constructor(connection: Connection, id: string) {
    this.connection = connection.leased(id);
    this.#id = id;
  }

  static async start(connection: Connection, options: CallOptions = {}): Promise<Lease> {
    const id = `oci-tar-${randomBytes(8).toString('hex')}`;
    const expires = new Date(Date.now() + lifetime).toISOString();
    try {
      await connection.call('Leases/Create', { id, labels: { 'containerd.io/gc.expire': expires } }, nothing, options);
    } catch (error) {
      throw engineError(error, 'start a lease', connection.address, options.signal);
    }
    return new Lease(connection, id);
  }

  /** Holds what is there already: `type` is `content`, or `snapshots/` and the name of a snapshotter. */
  async add(type: string, id: string, options: CallOptions = {}): Promise<void> {
    try {
      await this.connection.call('Leases/AddResource', { id: this.#id, resource: { id, type } }, nothing, options);
    } catch (error) {
      throw engineError(error, `hold ${id}`, this.connection.address, options.signal);
    }
  }

  /** `sync`: returns when what nothing else holds has been collected. A lease that cannot be ended ends by itself after a day. */
  async end({ sync = false }: { readonly sync?: boolean } = {}): Promise<void> {
    await this.connection.call('Leases/Delete', { id: this.#id, sync }, nothing, { timeout: patience }).catch(() => {});
  }
}
