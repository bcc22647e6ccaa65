import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Cli } from '../cli/support.ts';
import { endMarker, join, rawEntry } from '../tar/raw.ts';

const input = join(rawEntry({ name: 'a' }, 'x'.repeat(3000)), rawEntry({ name: 'b' }, 'x'.repeat(3000)), endMarker);

function prepared(bytes: Uint8Array = input): Cli {
  const cli = new Cli();
  writeFileSync(cli.path('in.tar'), bytes);
  return cli;
}

const apart = ['tar-split', 'disassemble', '@in.tar', '--metadata', '@meta', '--payloads', '@payloads'];
const together = ['tar-split', 'assemble', '--metadata', '@meta', '--payloads', '@payloads'];

describe('oci-tar tar-split', () => {
  it('takes a file apart and puts it together', async () => {
    const cli = prepared();
    expect(await cli.json(...apart)).toMatchObject({ format: 'oci-tar', bytes: input.length, payloadCount: 2, payloadBytes: 6000, newPayloads: 1, newPayloadBytes: 3000 });
    expect(readdirSync(cli.path('payloads/sha256'))).toHaveLength(1);
    expect((await cli.ok(...together, '@out.tar')).stdout).toMatch(/^put .* together\n$/);
    expect(readFileSync(cli.path('out.tar')).equals(input)).toBe(true);
  });

  it('goes through pipes', async () => {
    const cli = prepared();
    const outcome = await cli.run(apart.map((word) => (word === '@in.tar' ? '-' : word)), { stdin: input });
    expect(outcome.status).toBe(0);
    expect(Buffer.from((await cli.ok(...together, '-')).bytes).equals(input)).toBe(true);
    const metadata = await cli.run(apart.map((word) => (word === '@meta' ? '-' : word)));
    expect(Buffer.from(metadata.bytes).equals(readFileSync(cli.path('meta')))).toBe(true);
    expect(metadata.stdout).toBe('');
  });

  it('writes what upstream reads, and reads it compressed or not', async () => {
    const cli = prepared();
    await cli.ok(...apart, '--upstream');
    const lines = gunzipSync(readFileSync(cli.path('meta')));
    expect(JSON.parse(lines.toString().split('\n')[0] ?? '')).toMatchObject({ type: 2, position: 0 });
    expect(readFileSync(cli.path('payloads/a'), 'utf8')).toBe('x'.repeat(3000));
    for (const bytes of [readFileSync(cli.path('meta')), lines]) {
      writeFileSync(cli.path('meta'), bytes);
      await cli.ok(...together, '@out.tar');
      expect(readFileSync(cli.path('out.tar')).equals(input)).toBe(true);
    }
  });

  it('leaves no output behind where it fails', async () => {
    const cli = prepared(join(rawEntry({ name: 'a' }, 'x'), rawEntry({ name: './a' }, 'x'), endMarker));
    const refused = await cli.run([...apart, '--upstream']);
    expect(refused).toMatchObject({ status: 7, stderr: expect.stringContaining('leave --upstream out') });
    expect(existsSync(cli.path('meta'))).toBe(false);
    await cli.ok(...apart);
    const metadata = readFileSync(cli.path('meta'));
    writeFileSync(cli.path('meta'), metadata.subarray(0, metadata.length - 20));
    expect((await cli.run([...together, '@out.tar'])).status).toBe(4);
    expect(readdirSync(cli.dir).filter((name) => name.includes('out'))).toEqual([]);
  });

  it('writes only the metadata where no directory is named, the same ones', async () => {
    const cli = prepared();
    await cli.ok(...apart);
    const metadata = readFileSync(cli.path('meta'));
    expect(await cli.json('tar-split', 'disassemble', '@in.tar', '--metadata', '@only')).toMatchObject({ payloadCount: 2, newPayloads: 0 });
    expect(readFileSync(cli.path('only')).equals(metadata)).toBe(true);
  });

  it('keeps what is no tar whole, and says so of compressed ones', async () => {
    const gzip = Buffer.from([0x1f, 0x8b, ...Array<number>(100).fill(5)]);
    const cli = prepared(gzip);
    expect((await cli.ok(...apart)).stderr).toContain('compressed with gzip');
    await cli.ok(...together, '@out.tar');
    expect(readFileSync(cli.path('out.tar')).equals(gzip)).toBe(true);
  });

  it.each([
    [['tar-split', 'assemble', '@in.tar', '--metadata', '@meta']],
    [['tar-split', 'disassemble', '@in.tar', '--payloads', '@payloads']],
    [['tar-split', 'explode', '@in.tar', '--metadata', '@meta', '--payloads', '@payloads']],
    [['tar-split', 'disassemble', '--metadata', '@meta', '--payloads', '@payloads']],
    [[...together, '@out.tar', '--upstream']],
  ])('asks for what is missing: %j', async (args) => {
    expect((await prepared().run(args)).status).toBe(2);
  });
});
