import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join as path } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble, disassemble, disassembleUpstream, namedFilesSink, namedFilesSource, payloadSink, payloadSource } from '@oci-tar/core';
import { folder } from '../cli/support.ts';
import { endMarker, join, rawEntry } from '../tar/raw.ts';
import { failure, gather, inRuns } from '../tar/streams.ts';

const large = new Uint8Array(2_000_000).fill(9);
const input = join(
  rawEntry({ name: 'dir/a' }, 'a text that is longer than its digest is'),
  rawEntry({ name: 'dir/large' }, large),
  rawEntry({ name: Uint8Array.of(0x64, 0x69, 0x72, 0x2f, 0xff) }, 'a name that is not UTF-8, and its body'),
  endMarker,
);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

describe('a directory of payloads by digest', () => {
  it('holds each once, and gives the archive back', async () => {
    const root = folder();
    for (const [turn, isNew] of [[1, 3], [2, 0]] as const) {
      const sink = await payloadSink(root);
      const metadata = await gather(disassemble(inRuns(input), sink));
      await sink.close();
      expect(sink.counts, `turn ${turn}`).toMatchObject({ payloads: 3, written: isNew });
      expect(readdirSync(root)).toEqual(['sha256']);
      expect(readdirSync(path(root, 'sha256')).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);
      expect(same(await gather(assemble(inRuns(metadata), payloadSource(root))), input)).toBe(true);
    }
  });

  it('leaves nothing of a payload that was given up', async () => {
    const root = folder();
    const sink = await payloadSink(root);
    const failing = async function* () {
      yield input.subarray(0, 1_500_000);
      throw new Error('the pipe broke');
    };
    await expect(gather(disassemble(failing(), sink))).rejects.toThrow('the pipe broke');
    await sink.close();
    expect(readdirSync(root)).toEqual(['sha256']);
    expect(readdirSync(path(root, 'sha256'))).toHaveLength(1);
  });

  it('does not follow a link in the place of a payload', async () => {
    const root = folder({ outside: 'secret' });
    const sink = await payloadSink(path(root, 'p'));
    const metadata = await gather(disassemble(inRuns(join(rawEntry({ name: 'x' }, 'y'.repeat(50)), endMarker)), sink));
    await sink.close();
    const empty = path(root, 'q');
    mkdirSync(path(empty, 'sha256'), { recursive: true });
    const [name = ''] = readdirSync(path(root, 'p/sha256'));
    symlinkSync(path(root, 'p/sha256', name), path(empty, 'sha256', name));
    expect(await failure(gather(assemble(inRuns(metadata), payloadSource(empty))))).toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('says so when metadata ask for names', async () => {
    const metadata = await gather(disassembleUpstream(inRuns(input), await namedFilesSink(folder())));
    expect(await failure(gather(assemble(inRuns(metadata), payloadSource(folder()))))).toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('a directory tree of payloads by name', () => {
  it('has each file under its name, and gives the archive back', async () => {
    const root = folder();
    const sink = await namedFilesSink(root);
    const metadata = await gather(disassembleUpstream(inRuns(input), sink));
    await sink.close();
    expect(readdirSync(root)).toEqual(['dir']);
    expect(readFileSync(path(root, 'dir/a'), 'utf8')).toBe('a text that is longer than its digest is');
    expect(readdirSync(Buffer.from(path(root, 'dir')), { encoding: 'buffer' }).map((name) => name.toString('latin1')).toSorted()).toEqual(['a', 'large', '\xff']);
    expect(same(await gather(assemble(inRuns(metadata), namedFilesSource(root))), input)).toBe(true);
  });

  it.each(['../out', 'a/../../out', '/../out', '..'])('writes nothing outside for the name %s', async (name) => {
    const root = folder();
    const sink = await namedFilesSink(path(root, 'in'));
    expect(await failure(gather(disassembleUpstream(inRuns(join(rawEntry({ name }, 'x'), endMarker)), sink)))).toMatchObject({ code: 'UNSAFE_PATH' });
    await sink.close();
    expect(existsSync(path(root, 'out'))).toBe(false);
  });

  it('writes nothing through a link that stands in the way, and replaces one in its place', async () => {
    const root = folder({ 'outside/x': 'kept', 'in/y': 'y' });
    symlinkSync('../outside', path(root, 'in/link'));
    symlinkSync('../outside/x', path(root, 'in/file'));
    const sink = await namedFilesSink(path(root, 'in'));
    const archive = (name: string) => inRuns(join(rawEntry({ name }, 'new'), endMarker));
    expect(await failure(gather(disassembleUpstream(archive('link/x'), sink)))).toMatchObject({ code: 'UNSAFE_PATH' });
    await gather(disassembleUpstream(archive('file'), sink));
    await sink.close();
    expect(readFileSync(path(root, 'outside/x'), 'utf8')).toBe('kept');
    expect(readFileSync(path(root, 'in/file'), 'utf8')).toBe('new');
  });

  it('is read through links as if it were the root of the file system, and never outside of it', async () => {
    const root = folder({ 'in/usr/lib/x': 'inside', 'usr/lib/x': 'outsid' });
    for (const [link, target] of [['lib', 'usr/lib'], ['absolute', '/usr/lib'], ['up', '../../../usr/lib'], ['loop', 'loop']] as const) symlinkSync(target, path(root, 'in', link));
    writeFileSync(path(root, 'secret'), 'outsid');
    symlinkSync('../secret', path(root, 'in/final'));
    const read = async (name: string) => {
      const source = await namedFilesSource(path(root, 'in')).open({ name: Buffer.from(name), size: 6 });
      return Buffer.from(await gather(source.read())).toString();
    };
    for (const name of ['usr/lib/x', 'lib/x', './absolute/x', 'up/x']) expect(await read(name), name).toBe('inside');
    for (const name of ['loop/x', 'final', '../secret', 'lib/../../secret']) expect(await failure(read(name)), name).toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('looks at a folder once, and at each name in it', async () => {
    const root = folder({ 'in/d/x': 'inside', secret: 'outsid' });
    const source = namedFilesSource(path(root, 'in'));
    const read = async (name: string) => Buffer.from(await gather((await source.open({ name: Buffer.from(name), size: 6 })).read())).toString();
    for (const name of ['d/x', 'd/x', 'd//x', './d/./x', 'd/x/']) expect(await read(name), name).toBe('inside');
    for (const name of ['d/..', 'd/../../secret', 'd/x\0']) expect(await failure(read(name)), name).toMatchObject({ code: 'UNSAFE_PATH' });
    expect(await failure(read('d/y'))).toMatchObject({ code: 'NOT_FOUND' });
  });
});
