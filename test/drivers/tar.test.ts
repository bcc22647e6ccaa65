import { describe, expect, it } from 'vitest';
import { digestBytes, isOciTarError, tarReader, tarSink, tarWriter } from '@oci-tar/core';
import type { ImageDriver, TarSink } from '@oci-tar/core';
import { driverConformance } from '@oci-tar/core/testing';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { MemorySink } from '../support/sinks.ts';

describe('the tar driver is an ImageDriver', () => {
  const sinks = new WeakMap<ImageDriver, MemorySink>();
  const cases = driverConformance({
    access: 'append',
    async create() {
      const sink = new MemorySink();
      const driver = tarWriter(sink);
      sinks.set(driver, sink);
      return driver;
    },
    async reopen(driver) {
      await driver.close();
      const sink = sinks.get(driver);
      if (sink?.ended !== 'committed') throw new Error('the archive was not ended');
      return tarReader(sink.source());
    },
  });
  for (const { name, run } of cases) it(name, run);
});

const blob = new TextEncoder().encode('hello\n'.repeat(50_000));

async function streamed(sink: MemorySink | TarSink, lie: { digest?: boolean; size?: number } = {}) {
  const driver = tarWriter(sink);
  await driver.init();
  const digest = await digestBytes(lie.digest ? new Uint8Array(1) : blob);
  const writer = await driver.blobWriter({ digest, size: blob.byteLength + (lie.size ?? 0) });
  return { driver, writer, digest };
}

describe('a tar archive being written', () => {
  it('has blobs/ and blobs/sha256/ first, then each blob under its digest, owned by 0:0 at the epoch', async () => {
    const sink = new MemorySink();
    const { driver, writer, digest } = await streamed(sink);
    await writer.write(blob);
    await writer.commit();
    await driver.close();
    const found = await indexTar(sink.source());
    expect(found.map(({ path, mode, size }) => ({ path, mode, size }))).toEqual([
      { path: 'blobs/', mode: 0o755, size: 0 },
      { path: 'blobs/sha256/', mode: 0o755, size: 0 },
      { path: `blobs/sha256/${digest.slice(7)}`, mode: 0o444, size: blob.byteLength },
    ]);
    expect(sink.ended).toBe('committed');
  });

  it('gives the same bytes for a blob that is streamed and one that is spooled, however it is cut', async () => {
    const archives: Uint8Array[] = [];
    for (const [known, step] of [[true, 1000], [false, 77_777], [true, blob.byteLength]] as const) {
      const sink = new MemorySink();
      const driver = tarWriter(sink);
      await driver.init();
      const writer = await driver.blobWriter(known ? { digest: await digestBytes(blob), size: blob.byteLength } : {});
      for (let at = 0; at < blob.byteLength; at += step) await writer.write(blob.subarray(at, at + step));
      await writer.commit();
      await driver.close();
      archives.push(sink.bytes);
    }
    expect(Buffer.compare(archives[0] ?? blob, archives[1] ?? blob)).toBe(0);
    expect(Buffer.compare(archives[0] ?? blob, archives[2] ?? blob)).toBe(0);
  });

  it('holds the last piece of a blob back until its digest is right: a wrong one leaves the record incomplete and the archive without end', async () => {
    const sink = new MemorySink();
    const { driver, writer } = await streamed(sink, { digest: true });
    await writer.write(blob.subarray(0, 200_000));
    await writer.write(blob.subarray(200_000));
    await expect(writer.commit()).rejects.toSatisfy((error) => isOciTarError(error, 'DIGEST_MISMATCH'));
    await expect(driver.close()).rejects.toSatisfy((error) => isOciTarError(error, 'DIGEST_MISMATCH'));
    await driver.abort();
    expect(sink.ended).toBe('aborted');
    expect(sink.bytes.byteLength).toBeLessThan(blob.byteLength);
    await expect(indexTar(sink.source())).rejects.toSatisfy((error) => isOciTarError(error, 'INVALID_TAR'));
  });

  it.each([1, -1])('refuses a blob whose size is wrong by %i', async (size) => {
    const sink = new MemorySink();
    const { driver, writer } = await streamed(sink, { size });
    const written = writer.write(blob).then(() => writer.commit());
    await expect(written).rejects.toSatisfy((error) => isOciTarError(error, 'SIZE_MISMATCH'));
    await expect(driver.writer('index.json')).rejects.toSatisfy((error) => isOciTarError(error, 'SIZE_MISMATCH'));
  });

  it('refuses a second record inside a first', async () => {
    const { driver, writer } = await streamed(new MemorySink());
    await expect(driver.blobWriter({ digest: await digestBytes(new Uint8Array(3)), size: 3 })).rejects.toSatisfy((error) => isOciTarError(error, 'CONFLICT'));
    const file = await driver.writer('index.json');
    await expect(file.commit()).rejects.toSatisfy((error) => isOciTarError(error, 'CONFLICT'));
    await writer.write(blob);
    await expect(writer.commit()).resolves.toMatchObject({ size: blob.byteLength });
    await expect(file.commit()).resolves.toBeUndefined();
  });

  it('can be hooked: every header and byte passes a TarSink of the caller', async () => {
    const inner = tarSink(new MemorySink());
    const headers: string[] = [];
    let bytes = 0;
    const hooked: TarSink = {
      ...inner,
      writeHeader: (record) => (headers.push(record.name), inner.writeHeader(record)),
      write: (chunk) => ((bytes += chunk.byteLength), inner.write(chunk)),
    };
    const { driver, writer, digest } = await streamed(hooked);
    await writer.write(blob);
    await writer.commit();
    await driver.close();
    expect(headers).toEqual(['blobs/', 'blobs/sha256/', `blobs/sha256/${digest.slice(7)}`]);
    expect(bytes).toBe(blob.byteLength);
  });

  it('passes on the failure of the sink below, and leaves no unhandled rejection', async () => {
    const full = new Error('disk full');
    const sink = new MemorySink();
    sink.write = async () => {
      throw full;
    };
    const driver = tarWriter(sink);
    const writing = (async () => {
      await driver.init();
      const writer = await driver.blobWriter({ digest: await digestBytes(blob), size: blob.byteLength });
      for (let at = 0; at < blob.byteLength; at += 65_536) await writer.write(blob.subarray(at, at + 65_536));
      await writer.commit();
      await driver.close();
    })();
    await expect(writing).rejects.toBe(full);
    await driver.abort(full);
    expect(sink.ended).toBe('aborted');
  });
});
