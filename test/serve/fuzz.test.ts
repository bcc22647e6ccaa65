import { describe, expect, it } from 'vitest';
import { Random } from '../fuzz/random.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { Wire, running } from './running.ts';
import { clientOf, manifestType, partsOf, sha256 } from './support.ts';
import { seed as firstSeed } from '../support/seed.ts';

/** How long each way is tried; a longer run is asked for with OCI_TAR_FUZZ_SECONDS, a finding run again with OCI_TAR_SEED. */
const seconds = Number(process.env['OCI_TAR_FUZZ_SECONDS'] ?? '2');
const hang = 10_000;

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const oddities = ['..', '%2e%2e', '%00', '%2f', '\\', '%', '//', '?', '&', '#', '@', ':', ' ', '\u0000', 'é', '%F0%9F%90%B3', '-1', '99999999999999999999', '{}', "'", '"'] as const;

async function served() {
  const store = memoryStore();
  await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ a: 'x'.repeat(5000) }] });
  const digest = (await partsOf(await clientOf({ places: [{ store }] }), 'hello')).layers[0]?.digest ?? '';
  return { store, words: ['v2', 'hello', 'library', 'manifests', 'blobs', 'uploads', 'tags', 'list', 'referrers', '_catalog', 'metrics', '1', 'latest', digest, sha256('x'), 'n=1', 'last=a', `digest=${digest}`, `mount=${digest}`, 'from=hello', 'ns=docker.io', 'artifactType=a'] };
}

/** A request that is nearly one. */
function odd(random: Random, words: readonly string[]): { method: string; target: string; headers: Record<string, string>; body: string } {
  const count = random.below(7) + 1;
  const part = () => (random.below(6) === 0 ? random.pick(oddities) : random.pick(words));
  const path = Array.from({ length: count }, part).join(random.below(10) === 0 ? random.pick(oddities) : '/');
  const query = random.below(3) === 0 ? `?${Array.from({ length: random.below(4) + 1 }, part).join('&')}` : '';
  const headers: Record<string, string> = {};
  const put = (name: string, values: readonly string[]) => void (random.below(3) === 0 && (headers[name] = random.below(4) === 0 ? random.pick(oddities).replace(/[^\x21-\x7e]/g, 'x') : random.pick(values)));
  put('range', ['bytes=0-1', 'bytes=-1', 'bytes=5-', 'bytes=1-0,2-3', 'bytes=0-99999999999999999999']);
  put('content-range', ['0-4', '5-9', '9-0', 'bytes 0-4/5']);
  put('if-none-match', ['*', '"x"', words[13] ?? '']);
  put('accept', [manifestType, '*/*', 'text/html;q=0.1', ',,;']);
  put('content-type', [manifestType, 'application/vnd.oci.image.index.v1+json', 'text/plain']);
  put('authorization', ['Basic AAAA', 'Bearer x']);
  const body = random.pick(['', 'hello', '{}', '{"schemaVersion":2,"config":{},"layers":[]}', '[[[[[[', 'x'.repeat(3000)]);
  return { method: random.pick(methods), target: random.below(12) === 0 ? path : `/v2/${path}${query}`, headers, body };
}

describe('requests that are nearly sound', () => {
  it('are answered in the terms of the specification, and nothing that is there gets lost', { timeout: seconds * 1000 + 2 * hang }, async () => {
    const { store, words } = await served();
    const said: string[] = [];
    const client = await clientOf({ places: [{ store }], writable: memoryStore(), allowDelete: true, metrics: true, onLog: (line) => said.push(line) });
    const begun = Date.now();
    let count = 0;
    const findings: string[] = [];
    const statuses = new Set<number>();
    const uploads: string[] = [];
    for (let seed = firstSeed; Date.now() - begun < seconds * 1000 && findings.length < 20; seed++, count++) {
      const random = new Random(seed);
      const { method, target, headers, body } = odd(random, words);
      // What is under way is met now and then.
      const meant = uploads.length > 0 && random.below(8) === 0 ? `${random.pick(uploads)}?digest=${sha256(body)}` : target;
      const answer = await client.ask(method, meant, { headers, ...(body === '' ? {} : { body }) });
      statuses.add(answer.status);
      if (answer.status === 202 && answer.headers['location'] !== undefined) uploads.push(answer.headers['location']);
      const isTold = answer.status < 400 || method === 'HEAD' || answer.codes.length === 1;
      if (answer.status >= 500 || !isTold || said.length > 0) findings.push(`OCI_TAR_SEED=${seed} ${method} ${JSON.stringify(meant)}: ${answer.status} ${answer.text.slice(0, 100)} ${said.splice(0).join(' ')}`);
    }
    console.log(`fuzz requests: ${count} in ${((Date.now() - begun) / 1000).toFixed(1)} s from seed ${firstSeed}; statuses ${[...statuses].sort((a, b) => a - b).join(' ')}`);
    expect(findings).toEqual([]);
    expect(statuses.size).toBeGreaterThan(3);
    expect((await client.get('/v2/hello/manifests/1')).status).toBe(200);
  });
});

describe('bytes that are nearly requests', () => {
  it('neither crash nor hang the server', { timeout: seconds * 1000 + 2 * hang }, async () => {
    const { store, words } = await served();
    const { host, url } = await running({ places: [{ store }], writable: memoryStore(), patience: { headers: 200, piece: 200, idle: 200 } });
    const begun = Date.now();
    let count = 0;
    for (let seed = firstSeed; Date.now() - begun < seconds * 1000; seed += 20) {
      const wires = Array.from({ length: 20 }, (_, at) => {
        const random = new Random(seed + at);
        const { method, target, headers, body } = odd(random, words);
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
        const length = random.pick([String(body.length), String(body.length + 5), '-1', '1e9', '0', '']);
        const text = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${lines}${length === '' ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${length}\r\n`}\r\n${body}`;
        const bytes = Buffer.from(text, 'latin1');
        for (let flips = random.below(4); flips > 0; flips -= 1) bytes[random.below(bytes.length)] = random.below(256);
        const wire = new Wire(host);
        wire.send(bytes.subarray(0, random.below(5) === 0 ? random.below(bytes.length) : bytes.length));
        if (random.below(3) === 0) setTimeout(() => wire.socket.destroy(), random.below(20));
        else wire.socket.end();
        return wire;
      });
      await Promise.all(wires.map((wire) => wire.closed));
      count += wires.length;
    }
    console.log(`fuzz bytes: ${count} connections in ${((Date.now() - begun) / 1000).toFixed(1)} s from seed ${firstSeed}`);
    expect((await fetch(`${url}/v2/hello/manifests/1`)).status).toBe(200);
    expect(count).toBeGreaterThan(0);
  });
});
