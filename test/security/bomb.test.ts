import { gzipSync } from 'node:zlib';
import { localStore, mediaTypes, digestBytes } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { encodeHeader } from '../../packages/core/src/tar/encode.ts';
import { Cli } from '../cli/support.ts';
import { linux, pushBytes, pushJson } from '../support/images.ts';
import { Sandbox, attemptOf, bothWays, file } from './support.ts';

describe('a layer that unpacks to too much', () => {
  const two = [[file('a', 'x'.repeat(6000)), file('b', 'x'.repeat(6000))]];
  bothWays('is refused by the size of all files', two, ({ refused }) => expect(refused).toBe('LIMIT_EXCEEDED'), ['--max-size', '10kB'], { limits: { size: 10_000 } });
  bothWays('is refused by the size of one file', two, ({ refused }) => expect(refused).toBe('LIMIT_EXCEEDED'), ['--max-file-size', '5999'], { limits: { fileSize: 5999 } });
  bothWays('is not refused within the limits', two, ({ refused }) => expect(refused).toBeUndefined(), ['--max-size', '20KiB', '--max-file-size', '6000'], { limits: { size: 12_000, fileSize: 6000 } });
  bothWays('is refused by what one of its layers says', [[file('a', 'x'.repeat(6000))], [file('a', 'y'.repeat(6000))]], ({ refused }) => expect(refused).toBeDefined(), ['--max-size', '10kB'], { limits: { size: 10_000 } });

  it('of 1:1000 and more is refused by default, without a flag, and leaves nothing', async () => {
    const sandbox = new Sandbox();
    const cli = new Cli();
    // 1.1 GiB of zeros in 1.1 MB.
    await addCompressed(cli.path('store'), bombTar(17 * 2 ** 26));
    const { status, stderr } = await cli.run(['unpack', 'bomb:1', sandbox.target, '--json']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'LIMIT_EXCEEDED', limit: 2 ** 30 } });
    expect(status).toBe(4);
    sandbox.expectNothingLeft();
  });

  it('though its entries say less is refused when the body goes on', async () => {
    const sandbox = new Sandbox();
    async function* lying(): AsyncGenerator<WriteEntry, void, void> {
      async function* data(): AsyncGenerator<Uint8Array, void, void> {
        for (;;) yield new Uint8Array(65_536);
      }
      yield { path: 'a', type: 'file', size: 10, data: data() };
    }
    const { refused } = await attemptOf(sandbox, () => writeTree(lying(), sandbox.target));
    expect(refused).toBe('SIZE_MISMATCH');
    sandbox.expectNothingLeft();
  });
});

/** A gzipped tar with one file of zeros, whose end nobody gets to see; in gzip members that are all the same, so that it is made quickly. */
function bombTar(size: number): Uint8Array {
  const piece = gzipSync(new Uint8Array(2 ** 26));
  return Buffer.concat([gzipSync(encodeHeader({ path: 'bomb', type: 'file', size })), ...Array.from({ length: size / 2 ** 26 }, () => piece)]);
}

async function addCompressed(path: string, layer: Uint8Array): Promise<void> {
  const store = await localStore(path);
  const session = await store.begin?.();
  if (session === undefined) throw new Error(`${path} cannot be written`);
  const { descriptor } = await pushBytes(session, `${mediaTypes.layer}+gzip`, 'layer', layer);
  // Nobody gets as far as to compare it.
  const diffID = await digestBytes(new Uint8Array());
  const config = await pushJson(session, mediaTypes.config, 'config', { ...linux, config: {}, rootfs: { type: 'layers', diff_ids: [diffID] } });
  await session.name('docker.io/library/bomb:1', await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: [descriptor] }));
  await session.end();
  await store.close();
}
