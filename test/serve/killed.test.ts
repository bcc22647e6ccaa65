import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Child, inFolder, scriptOf } from '../crash/processes.ts';
import { manifestOf, manifestType, sha256 } from './support.ts';

const source = `
const [path] = process.argv.slice(2);
const server = await core.serveRegistry({ listen: '127.0.0.1:0', places: [], writable: await core.localStore(path) });
console.log(server.url);
`;

describe('a registry that is killed', () => {
  it('keeps what it said it had taken, shows nothing half-written, and goes on after a new start', { timeout: 180_000 }, async () => {
    await inFolder(async (folder) => {
      const [script, path] = [await scriptOf(folder, source), join(folder, 'store')];
      const first = new Child(script, path);
      const url = await first.line();
      const push = (text: string) => fetch(`${url}/v2/app/blobs/uploads/?digest=${sha256(text)}`, { method: 'POST', body: text });
      for (const text of ['{}', 'a layer', 'waits for its manifest']) expect((await push(text)).status).toBe(201);
      const put = await fetch(`${url}/v2/app/manifests/1`, { method: 'PUT', body: manifestOf('{}', ['a layer']), headers: { 'content-type': manifestType } });
      expect(put.status).toBe(201);
      const begun = await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' });
      await fetch(`${url}${begun.headers.get('location')}`, { method: 'PATCH', body: 'never completed'.repeat(100_000) });
      first.process.kill('SIGKILL');
      await first.exited;

      const blobs = readdirSync(join(path, 'blobs/sha256'));
      expect(blobs).toHaveLength(4);
      for (const blob of blobs) expect(sha256(readFileSync(join(path, 'blobs/sha256', blob)))).toBe(`sha256:${blob}`);

      const second = new Child(script, path);
      const again = await second.line();
      expect((await fetch(`${again}/v2/app/manifests/1`)).status).toBe(200);
      expect((await fetch(`${again}${begun.headers.get('location')}`)).status).toBe(404);
      // A client that was in the middle of a push goes on with the manifest: its blobs lie there.
      const late = await fetch(`${again}/v2/app/manifests/2`, { method: 'PUT', body: manifestOf('{}', ['waits for its manifest']), headers: { 'content-type': manifestType } });
      expect(late.status).toBe(201);
      second.process.kill('SIGKILL');
      await once(second.process, 'close');
    });
  });
});
