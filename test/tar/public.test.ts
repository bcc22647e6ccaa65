import { bytesSource, collect, fileBytes, fileSize, packEntries, pieceBytes, seekTar, tarEntries, tarTokens } from '@oci-tar/core';
import type { PackEntry } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';

const made: readonly PackEntry[] = [
  { path: 'dir/', type: 'directory', mode: 0o755 },
  { path: 'dir/file', type: 'file', size: 5, data: Buffer.from('hello'), pax: new Map([['SCHILY.xattr.user.a', Uint8Array.of(0, 255)]]) },
  { path: 'dir/null', type: 'character-device', devmajor: 1, devminor: 3 },
];
const archive = () => collect(pieceBytes(packEntries(made)), 1 << 20, 'the archive');

describe('the library on plain tars', () => {
  it('takes an archive apart into pieces that joined are the archive', async () => {
    const bytes = await archive();
    const kinds: string[] = [];
    const pieces: Uint8Array[] = [];
    for await (const { kind, bytes: piece } of tarTokens(bytesSource(bytes).read())) {
      kinds.push(kind);
      pieces.push(piece.slice());
    }
    expect(kinds).toEqual(['header', 'header', 'data', 'padding', 'header', 'end']);
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  });

  it('passes entries on to be written again, some left out', async () => {
    const bytes = await archive();
    const withoutDevices = async function* () {
      for await (const entry of tarEntries(bytesSource(bytes).read())) if (!entry.type.endsWith('-device')) yield entry;
    };
    const found: (readonly [string, string])[] = [];
    for await (const entry of tarEntries(pieceBytes(packEntries(withoutDevices())))) {
      found.push([entry.path, Buffer.from(await collect(fileBytes(entry, entry.data), fileSize(entry), entry.path)).toString()]);
    }
    expect(found).toEqual([['dir/', ''], ['dir/file', 'hello']]);
  });

  it('finds the entries of an archive at rest', async () => {
    const found: (readonly [string, number])[] = [];
    for await (const { path, size } of seekTar(bytesSource(await archive()))) found.push([path, size]);
    expect(found).toEqual([['dir/', 0], ['dir/file', 5], ['dir/null', 0]]);
  });
});
