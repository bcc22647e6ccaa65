import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codecByName, collect } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { blobName, imageName, imagePieces, noise } from '../hostile/archives.ts';
import { cut } from '../support/sinks.ts';
import { rawEntry, rawHeader } from '../tar/raw.ts';
import { Child, inFolder, scriptOf } from './processes.ts';

const megabyte = 1 << 20;
/** One layer of so many pieces of a megabyte, none like another. */
const pieces = 600;
const limit = 200;

/** The same in the child, which makes the bytes anew instead of holding them. */
function piece(pattern: Uint8Array, n: number): Uint8Array {
  const bytes = Uint8Array.from(pattern);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

const script = `
const [verb, folder] = process.argv.slice(2);
const { readFile } = await import('node:fs/promises');
const { createReadStream } = await import('node:fs');
const target = await core.localStore(folder + '/' + verb.replace(/export|verify/, 'import'));
async function* archive() {
  yield await readFile(folder + '/head.tar');
  const pattern = await readFile(folder + '/pattern');
  for (let n = 0; n < ${pieces}; n++) {
    const bytes = Uint8Array.from(pattern);
    new DataView(bytes.buffer).setUint32(0, n);
    yield bytes;
  }
  yield new Uint8Array(1024);
}
const images = async () => {
  const found = [];
  for await (const image of target.images()) found.push(image);
  return found;
};
const verbs = {
  import: () => core.importStream(archive(), { target }),
  export: () => core.exportImages({ source: target, references: ['${imageName}'], output: '/dev/null' }),
  verify: async () => core.assertVerified(await core.verifyImages(target, await images())),
  'bomb-pipe': () => core.importStream(createReadStream(folder + '/bomb.tar.gz'), { target }),
  'bomb-file': async () => {
    const source = await core.openArchive(folder + '/bomb.tar.gz');
    await core.importImages(source, { target });
    await source.close();
  },
};
await verbs[verb]();
await target.close();
console.log(Math.round(process.resourceUsage().maxRSS / 1024));
`;

describe('memory', () => {
  it(`stays under ${limit} MB while an image of ${pieces} MB is imported from a pipe, verified and exported`, { timeout: 120_000 }, () =>
    inFolder(async (folder) => {
      const pattern = noise(11, megabyte);
      const digest = createHash('sha256');
      for (let n = 0; n < pieces; n++) digest.update(piece(pattern, n));
      const layer = { digest: `sha256:${digest.digest('hex')}` as const, size: pieces * megabyte };
      const { layout, index, manifest, config } = await imagePieces({ layer, diffIDs: [layer.digest] });
      const head = [layout, index, manifest, config].map(({ name, body }) => rawEntry({ name }, body));
      await writeFile(join(folder, 'head.tar'), Buffer.concat([...head, rawHeader({ name: blobName(layer.digest), size: layer.size })]));
      await writeFile(join(folder, 'pattern'), pattern);
      const file = await scriptOf(folder, script);
      for (const verb of ['import', 'verify', 'export']) expect(await megabytesOf(file, verb, folder), verb).toBeLessThan(limit);
    }));

  it(`stays under ${limit} MB while a gzip of 1 GiB of zeros, in a blob that nothing needs, is passed over`, { timeout: 120_000 }, () =>
    inFolder(async (folder) => {
      const gzip = codecByName('gzip');
      const compressed = (bytes: Uint8Array) => collect(gzip.compress(cut(bytes), { level: 1 }), 1 << 26, 'gzip');
      const before = Object.values(await imagePieces()).map(({ name, body }) => rawEntry({ name }, body));
      const zeros = await compressed(new Uint8Array(64 * megabyte));
      const bomb = await open(join(folder, 'bomb.tar.gz'), 'w');
      await bomb.writeFile(await compressed(Buffer.concat([...before, rawHeader({ name: `blobs/sha256/${'0'.repeat(64)}`, size: 1024 * megabyte })])));
      for (let n = 0; n < 16; n++) await bomb.writeFile(zeros);
      await bomb.writeFile(await compressed(new Uint8Array(1024)));
      await bomb.close();
      const file = await scriptOf(folder, script);
      for (const verb of ['bomb-pipe', 'bomb-file']) expect(await megabytesOf(file, verb, folder), verb).toBeLessThan(limit);
    }));
});

async function megabytesOf(script: string, verb: string, folder: string): Promise<number> {
  const child = new Child(script, verb, folder);
  const line = await child.line();
  expect(await child.exited, verb).toBe(0);
  expect(line, verb).toMatch(/^[0-9]+$/);
  if (process.env['OCI_TAR_SHOW'] !== undefined) console.log(`${verb}: ${line} MB`);
  return Number(line);
}
