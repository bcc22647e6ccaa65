import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localStore, mediaTypes } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { Cli } from '../cli/support.ts';
import { linux, pushBytes, pushJson } from '../support/images.ts';
import { Sandbox, addImage, file, tarOf } from './support.ts';

/** Runs `unpack` and expects that it ends so, with nothing left. */
async function refused(cli: Cli, code: string, ...flags: readonly string[]): Promise<void> {
  const sandbox = new Sandbox();
  const { status, stderr } = await cli.run(['unpack', 'hostile:1', sandbox.target, '--json', ...flags]);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code } });
  expect(status).toBe(4);
  sandbox.expectNothingLeft();
}

const layers = [[file('a', 'lower\n'.repeat(100))], [file('b', 'upper\n'.repeat(100))]];

describe('a layer that is not what the image says', () => {
  it.each([0, 1])('is found out by its digest, though all of its files could be written: layer %i', async (position) => {
    const cli = new Cli();
    await addImage(cli.path('store'), layers);
    const blobs = join(cli.path('store'), 'blobs/sha256');
    const needle = position === 0 ? 'lower' : 'upper';
    const [blob = ''] = readdirSync(blobs).filter((name) => statSync(join(blobs, name)).size > 2000 && readFileSync(join(blobs, name), 'latin1').includes(needle));
    const bytes = readFileSync(join(blobs, blob));
    // In the last block of the body, which is padding: only a digest can tell.
    bytes[2 * 512 + 100] = 0x21;
    chmodSync(join(blobs, blob), 0o644);
    writeFileSync(join(blobs, blob), bytes);
    await refused(cli, 'DIGEST_MISMATCH');
    await refused(cli, 'DIGEST_MISMATCH', '--last-duplicate');
  });

  it('is found out by its diffID', async () => {
    const cli = new Cli();
    const store = await localStore(cli.path('store'));
    const session = await store.begin?.();
    if (session === undefined) throw new Error('the store cannot be written');
    const layer = await pushBytes(session, mediaTypes.layer, 'layer', await tarOf([file('a')]));
    const other = await pushBytes(session, mediaTypes.layer, 'layer', await tarOf([file('b')]));
    const config = await pushJson(session, mediaTypes.config, 'config', { ...linux, config: {}, rootfs: { type: 'layers', diff_ids: [other.descriptor.digest] } });
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: [layer.descriptor] };
    await session.name('docker.io/library/hostile:1', await pushJson(session, mediaTypes.manifest, 'manifest', manifest));
    await session.end();
    await store.close();
    await refused(cli, 'DIGEST_MISMATCH');
  });

  it('after the end of its tar is found out too', async () => {
    const cli = new Cli();
    await addImage(cli.path('store'), [[file('a', 'lower\n'.repeat(100))]]);
    const blobs = join(cli.path('store'), 'blobs/sha256');
    const [blob = ''] = readdirSync(blobs).filter((name) => readFileSync(join(blobs, name), 'latin1').includes('lower'));
    const bytes = readFileSync(join(blobs, blob));
    bytes[bytes.byteLength - 1] = 1;
    chmodSync(join(blobs, blob), 0o644);
    writeFileSync(join(blobs, blob), bytes);
    await refused(cli, 'DIGEST_MISMATCH');
  });
});
