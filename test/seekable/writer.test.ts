import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { digestBytes } from '../../packages/core/src/bytes/digest.ts';
import { bytesSource, join } from '../../packages/core/src/bytes/source.ts';
import { buildSeekable } from '../../packages/core/src/seekable/build.ts';
import type { SeekableFormat } from '../../packages/core/src/seekable/format.ts';
import { openSeekable } from '../../packages/core/src/seekable/open.ts';
import { parseToc } from '../../packages/core/src/seekable/toc-parse.ts';
import { stringifyToc } from '../../packages/core/src/seekable/toc-stringify.ts';
import { unpackSeekable } from '../../packages/core/src/seekable/unpack.ts';
import { verifyContent } from '../../packages/core/src/seekable/verify.ts';
import { SeekableWriter } from '../../packages/core/src/seekable/writer.ts';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { gather, inRuns, list } from '../tar/streams.ts';
import { contentOf, directory, file, opened, tarOf, text } from './support.ts';

function collecting(): { readonly parts: Uint8Array[]; write(bytes: Uint8Array): Promise<void> } {
  const parts: Uint8Array[] = [];
  return { parts, write: async (bytes) => void parts.push(bytes) };
}

describe('a writer of a seekable layer', () => {
  it('appends one tar after the other, compressed or not', async () => {
    const target = collecting();
    const writer = new SeekableWriter(target, { chunkSize: 3 });
    await writer.appendTar(inRuns(await tarOf(directory('d/'), file('d/a', 'hello'))));
    await writer.appendTar(inRuns(gzipSync(await tarOf(file('b', 'world')))));
    const noEnd = (await tarOf(file('c', '!'))).slice(0, -1024);
    await writer.appendTarLossless(inRuns(noEnd));
    await writer.appendTarLossless(inRuns(await tarOf(file('e', '?'))));
    const report = await writer.close();
    const blob = join(target.parts);
    expect(report.digest).toBe(await digestBytes(blob));
    expect(report.diffID).toBe(await digestBytes(new Uint8Array(gunzipSync(blob))));
    const layer = await opened(blob);
    layer.verifyToc(report.tocDigest);
    await verifyContent(layer);
    const contents = await Promise.all(['d/a', 'b', 'c', 'e'].map((path) => contentOf(layer, path)));
    expect(contents.map((bytes) => Buffer.from(bytes).toString())).toEqual(['hello', 'world', '!', '?']);
    expect((await list(entries(unpackSeekable(bytesSource(blob))))).map(({ path }) => path)).toEqual(['d/', 'd/a', 'b', 'c', 'e']);
  });

  it('takes nothing after a lossless tar with its end, nor after its own', async () => {
    const writer = new SeekableWriter(collecting());
    await writer.appendTarLossless(inRuns(await tarOf(file('a', 'x'))));
    await expect(writer.appendTar(inRuns(await tarOf()))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const other = new SeekableWriter(collecting());
    await other.close();
    await expect(other.close()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(other.appendTar(inRuns(await tarOf()))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('is done for after a failure', async () => {
    const writer = new SeekableWriter(collecting());
    await expect(writer.appendTar(inRuns(text('no tar at all'.repeat(100))))).rejects.toMatchObject({ code: 'INVALID_TAR' });
    await expect(writer.close()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('passes on what its target throws', async () => {
    const reason = new Error('disk full');
    const writer = new SeekableWriter({ write: () => Promise.reject(reason) });
    await expect(writer.appendTar(inRuns(await tarOf(file('a', 'x'))))).rejects.toBe(reason);
  });
});

/** Members of a length and the bytes themselves, a TOC of bare JSON, and a footer of its own. */
const plainFormat: SeekableFormat = {
  name: 'plain',
  suffix: '',
  parallelism: 3,
  start: () => ({
    chunksAlone: true,
    chunker: (size) => ({
      chunkType: size > 5 ? 'big' : 'small',
      take: (run) => ({ length: 1, complete: run[0] === 0x2e }),
    }),
    async member(parts) {
      const bytes = join(parts);
      return join([Uint8Array.of(bytes.length >>> 16, (bytes.length >>> 8) & 255, bytes.length & 255), bytes]);
    },
    async tocAndFooter({ toc, offset }) {
      const json = stringifyToc(toc);
      const ends = toc.entries.map(({ endOffset, chunkType }) => [endOffset, chunkType]);
      return { bytes: [json, text(`PLAIN${String(offset).padStart(10, '0')}`)], tar: [], tocDigest: await digestBytes(json), annotations: { ends: JSON.stringify(ends) } };
    },
  }),
  footerSize: 15,
  parseFooter(footer) {
    const found = /^PLAIN(\d{10})$/.exec(Buffer.from(footer).toString());
    return found === null ? undefined : { tocOffset: Number(found[1]), payloadSize: Number(found[1]) };
  },
  decompressToc: (bytes) => gather(bytes ?? []),
  async parseToc(bytes) {
    const json = await gather(bytes ?? []);
    return { toc: parseToc(json), tocDigest: await digestBytes(json) };
  },
  async *reader(bytes) {
    const all = await gather(bytes);
    for (let at = 0; at < all.length; ) {
      const size = ((all[at] ?? 0) << 16) | ((all[at + 1] ?? 0) << 8) | (all[at + 2] ?? 0);
      yield all.subarray(at + 3, at + 3 + size);
      at += 3 + size;
    }
  },
};

describe('a format from outside', () => {
  it('is built, opened and unpacked like any other, with chunks and members of its own', async () => {
    const tar = await tarOf(file('a', 'one. two. three'), directory('d/'), file('b', 'x.'));
    const build = buildSeekable(bytesSource(tar), { compressor: plainFormat, lossless: true });
    const blob = await gather(build.blob);
    const report = build.report();
    expect(report).toMatchObject({ suffix: '', diffID: await digestBytes(tar) });
    const layer = await openSeekable(bytesSource(blob), { decompressors: [plainFormat] });
    layer.verifyToc(report.tocDigest);
    await verifyContent(layer);
    expect(layer.lookup('a')?.chunks.map(({ chunkSize }) => chunkSize)).toEqual([4, 5, 6]);
    expect(Buffer.from(await contentOf(layer, 'a')).toString()).toBe('one. two. three');
    // A member for the header, one for each chunk, one for padding and headers.
    const offsets = layer.chunks.map(({ offset }) => offset);
    expect(offsets).toEqual([515, 515 + 7, 515 + 7 + 8, 515 + 7 + 8 + 9 + 3 + 497 + 1024]);
    const ends = [519 + 3, 530, 539, (offsets[3] ?? 0) + 5];
    expect(report.annotations).toEqual({ ends: JSON.stringify([...ends.slice(0, 3).map((end) => [end, 'big']), [undefined, undefined], [ends[3], 'small']]) });
    expect(Buffer.compare(await gather(unpackSeekable(bytesSource(blob), { decompressors: [plainFormat] })), tar)).toBe(0);
  });

  it('sees every byte of the tar before it is compressed', async () => {
    const seen: Uint8Array[] = [];
    const tar = await tarOf(file('a', 'hello'), file('b', ''));
    const compressor = { ...plainFormat, start: () => ({ ...plainFormat.start(), observe: ({ bytes }: { bytes: Uint8Array }) => void seen.push(bytes) }) };
    await gather(buildSeekable(bytesSource(tar), { compressor, lossless: true }).blob);
    expect(Buffer.compare(join(seen), tar)).toBe(0);
  });
});
