import { digestBytes, mediaTypes, stringifyJson } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { Cli } from '../cli/support.ts';
import { compressed, hardlink, symlink, tarOf } from '../layout/docker-archives.ts';
import { asItem, but, good, lower, upper, without } from '../layout/docker-bad-samples.ts';
import { archive, blobEntry, imagePieces, indexEntry, named, tar, text } from './archives.ts';
import type { Entry, Pieces } from './archives.ts';
import { ways } from './attempt.ts';
import { importedBy, refusedByCli, takenByCli } from './by-cli.ts';

const sound = await imagePieces();
const order = Object.values(sound);
const empty = new Uint8Array();

const renamed = (rename: (name: string) => string) => tar(order.map((entry) => ({ ...entry, name: rename(entry.name) })));
/** The sound archive with something else in the place of a file. */
const instead = (piece: keyof Pieces, header: NonNullable<Entry['header']>, ...more: readonly Entry[]) => archive({ ...sound, [piece]: { name: sound[piece].name, body: empty, header } }, ...more);
const link = (linkname: string) => ({ typeflag: '2', linkname });
const layerLink = '../../x';
const ring: readonly Entry[] = [
  { name: 'x', body: empty, header: link('y') },
  { name: 'y', body: empty, header: link(`./${sound.layer.name}`) },
];

/** The sound archive with its layer in other bytes, or called another type. */
async function layered(mediaType: string, bytes: Uint8Array, diffID?: string): Promise<Uint8Array> {
  const digest = await digestBytes(bytes);
  const { config, manifest, index } = await imagePieces({ layer: { mediaType, digest, size: bytes.length }, diffIDs: [diffID ?? digest] });
  return archive({ ...sound, config, manifest, index, layer: await blobEntry(bytes) });
}

const plain = sound.layer.body;
const diffID = await digestBytes(plain);
const gzip = await compressed('gzip', plain);
const zstd = await compressed('zstd', plain);

/** An index of two platforms, with the images whose pieces are there. */
async function platforms(present: readonly ('amd64' | 'arm64')[]): Promise<Uint8Array> {
  const children: object[] = [];
  const entries: Entry[] = [];
  for (const architecture of ['amd64', 'arm64'] as const) {
    const { manifest, config, layer } = await imagePieces({ manifestFields: { annotations: { architecture } } });
    children.push({ mediaType: mediaTypes.manifest, digest: await digestBytes(manifest.body), size: manifest.body.length, platform: { os: 'linux', architecture } });
    if (present.includes(architecture)) entries.push(manifest, config, layer);
  }
  const body = stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: children });
  const top = indexEntry([named({ mediaType: mediaTypes.index, digest: await digestBytes(body), size: body.length })]);
  return tar([sound.layout, top, await blobEntry(body), ...entries]);
}

type Case = readonly [what: string, code: ErrorCode, bytes: Uint8Array];

const special = (typeflag: string) => ({ name: 'lower.tar', header: { typeflag, devmajor: 1, devminor: 3 } });

const classes: Readonly<Record<string, readonly Case[]>> = {
  'an absolute name': [
    ['of every file', 'INVALID_LAYOUT', renamed((name) => `/${name}`)],
    ['of the layer', 'NOT_FOUND', renamed((name) => (name === sound.layer.name ? `/${name}` : name))],
    ["of docker's layer", 'UNSAFE_PATH', tarOf(asItem({ Layers: ['/lower.tar', 'upper.tar'] }))],
    ["of docker's config", 'UNSAFE_PATH', tarOf(asItem({ Config: '/c.json' }))],
  ],
  'a name with ..': [
    ['of every file', 'INVALID_LAYOUT', renamed((name) => `../${name}`)],
    ['of the layer', 'NOT_FOUND', renamed((name) => (name === sound.layer.name ? `x/../${name}` : name))],
    ["of docker's layer", 'UNSAFE_PATH', tarOf(asItem({ Layers: ['../lower.tar', 'upper.tar'] }))],
    ["of docker's config", 'UNSAFE_PATH', tarOf(asItem({ Config: 'x/../../c.json' }))],
  ],
  'a symbolic link out of the archive': [
    ['as a layer', 'UNSAFE_PATH', instead('layer', link('../../../etc/passwd'))],
    ['as a layer, absolute', 'UNSAFE_PATH', instead('layer', link('/etc/passwd'))],
    ['as index.json', 'UNSAFE_PATH', instead('index', link('../index.json'))],
    ["as docker's layer", 'UNSAFE_PATH', tarOf(but(symlink('lower.tar', '../lower.tar')))],
    ["as docker's manifest.json", 'UNSAFE_PATH', tarOf([...without('manifest.json'), symlink('manifest.json', '/etc/passwd')])],
  ],
  'links in a ring': [
    ['for a layer', 'INVALID_LAYOUT', instead('layer', link(layerLink), ...ring)],
    ['for index.json', 'INVALID_LAYOUT', instead('index', link('index.json'))],
    ["for docker's layer", 'INVALID_LAYOUT', tarOf([...but(symlink('lower.tar', 'x/a')), symlink('x/a', '../y'), hardlink('y', 'lower.tar')])],
  ],
  'a device': [
    ['as a layer, character', 'NOT_FOUND', instead('layer', { typeflag: '3', devmajor: 1, devminor: 5 })],
    ['as a layer, block', 'NOT_FOUND', instead('layer', { typeflag: '4', devmajor: 8 })],
    ['as a manifest', 'NOT_FOUND', instead('manifest', { typeflag: '3', devmajor: 1, devminor: 5 })],
    ['as index.json', 'INVALID_LAYOUT', instead('index', { typeflag: '3', devmajor: 1, devminor: 5 })],
    ["as docker's layer, character", 'NOT_FOUND', tarOf(but(special('3')))],
    ["as docker's layer, block", 'NOT_FOUND', tarOf(but(special('4')))],
  ],
  'a size of an entry that makes no sense': [
    ['negative', 'INVALID_TAR', archive({ ...sound, layer: { ...sound.layer, header: { size: new Uint8Array(12).fill(0xff) } } })],
    ['no number', 'INVALID_TAR', archive({ ...sound, layer: { ...sound.layer, header: { size: text('twelve bytes') } } })],
    ['beyond 2^53', 'INVALID_TAR', archive({ ...sound, layer: { ...sound.layer, header: { size: Uint8Array.of(0x80, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 1) } } })],
    ['beyond the end', 'INVALID_TAR', archive({ ...sound, layer: { ...sound.layer, header: { size: 0o77777777777 } } })],
    ["negative, of docker's layer", 'INVALID_TAR', tarOf(but({ name: 'upper.tar', body: upper, header: { size: new Uint8Array(12).fill(0xff) } }))],
    ["beyond the end, of docker's layer", 'INVALID_TAR', tarOf(but({ name: 'upper.tar', body: upper, header: { size: 0o77777777777 } }))],
  ],
  'an index none of whose children is complete': [
    ['with no platform there', 'NOT_FOUND', await platforms([])],
    ['with layers missing', 'NOT_FOUND', archive({ ...sound, layer: undefined })],
    ["and docker's images, of which none is there", 'NOT_FOUND', tarOf(without('lower.tar'))],
  ],
  'a compressed layer that says tar': [
    ['of gzip', 'INVALID_COMPRESSION', await layered(mediaTypes.layer, gzip)],
    ['of gzip, with the diffID of what is in it', 'INVALID_COMPRESSION', await layered(mediaTypes.layer, gzip, diffID)],
    ['of zstd', 'INVALID_COMPRESSION', await layered(mediaTypes.layer, zstd)],
    ["of docker's type", 'INVALID_COMPRESSION', await layered(mediaTypes.dockerLayer, gzip)],
  ],
  'a layer that says another compression than it has': [
    ['a tar that says gzip', 'INVALID_COMPRESSION', await layered(mediaTypes.layerGzip, plain)],
    ['a tar that says zstd', 'INVALID_COMPRESSION', await layered(mediaTypes.layerZstd, plain)],
    ["a tar that says gzip, by docker's type", 'INVALID_COMPRESSION', await layered(mediaTypes.dockerLayerGzip, plain)],
    ['gzip that says zstd', 'INVALID_COMPRESSION', await layered(mediaTypes.layerZstd, gzip, diffID)],
    ['zstd that says gzip', 'INVALID_COMPRESSION', await layered(mediaTypes.layerGzip, zstd, diffID)],
  ],
};

describe.each(Object.entries(classes))('%s', (_class, cases) => {
  describe.each(ways)('is refused by oci-tar import, by %s', (way) => {
    it.each(cases)('%s (%s)', async (_what, code, bytes) => {
      expect((await refusedByCli(way, bytes, code)).message).not.toBe('');
    });
  });
});

describe.each(ways)('oci-tar import, by %s,', (way) => {
  it('takes an index with one complete platform, and says what it lacks', async () => {
    const { stderr, stdout } = await takenByCli(way, await platforms(['arm64']));
    expect(stdout).toContain('imported 1 image');
    expect(stderr).toContain('left out, since the source does not have it: linux/amd64');
  });

  it('says of an index without a complete platform what each of them lacks', async () => {
    const { message } = await refusedByCli(way, await platforms([]), 'NOT_FOUND');
    expect(message).toMatch(/linux\/amd64: .*\n.*linux\/arm64: /);
  });

  it('leaves what a compressed layer unpacks to to oci-tar verify, which finds it', async () => {
    const { cli } = await takenByCli(way, await layered(mediaTypes.layerGzip, gzip, diffID));
    await cli.ok('verify');
    const lie = await layered(mediaTypes.layerGzip, gzip, `sha256:${'0'.repeat(64)}`);
    await cli.ok('rm', 'hostile:1');
    expect(await cli.run(['import', '-'], { stdin: lie })).toMatchObject({ status: 0 });
    expect(await cli.run(['verify'])).toMatchObject({ status: 4, stdout: expect.stringContaining('DIGEST_MISMATCH') as string });
  });

  it("unpacks docker's compressed layers in any case, since it has no types, and finds it at once", async () => {
    await refusedByCli(way, tarOf(but({ name: 'upper.tar', body: await compressed('gzip', lower) })), 'DIGEST_MISMATCH');
    await takenByCli(way, tarOf(but({ name: 'upper.tar', body: await compressed('gzip', upper) })));
    await takenByCli(way, tarOf(good));
  });
});

describe('a dry run of oci-tar import', () => {
  it('ends as the import would, and makes no store', async () => {
    const cli = new Cli();
    const { status, stdout, stderr } = await importedBy('file', cli, await layered(mediaTypes.layerGzip, plain), '--dry-run');
    expect(status).toBe(4);
    expect(stdout + stderr).toContain('but its bytes are not gzip');
    expect((await cli.ok('images', '-q')).stdout).toBe('');
  });
});
