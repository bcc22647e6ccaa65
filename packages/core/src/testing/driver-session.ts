import { collect } from '../bytes/source.ts';
import type { BlobWriter, BlobWriterOptions, ExpectedBlob, ImageDriver, WrittenBlob } from '../layout/driver.ts';
import { isOciTarError } from '../errors.ts';
import { assertBytes, assertEqual, assertRejects } from './assert.ts';

const readLimit = 64 * 1024 * 1024;

/** A driver under test, and the steps that its cases are made of. */
export class DriverSession {
  readonly driver: ImageDriver;
  readonly #harness: { reopen(driver: ImageDriver): Promise<ImageDriver> };
  #reopened: ImageDriver | undefined;

  constructor(driver: ImageDriver, harness: { reopen(driver: ImageDriver): Promise<ImageDriver> }) {
    this.driver = driver;
    this.#harness = harness;
  }

  /** Whether files can be read while others are written. */
  get random(): boolean {
    return this.driver.access === 'random';
  }

  async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const writer = await this.driver.writer(path);
    await writer.write(bytes);
    await writer.commit();
  }

  async startBlob(chunks: Iterable<Uint8Array>, options?: BlobWriterOptions): Promise<BlobWriter> {
    const writer = await this.driver.blobWriter(options);
    for (const chunk of chunks) await writer.write(chunk);
    return writer;
  }

  async writeBlob(bytes: Uint8Array, options?: BlobWriterOptions, expected?: ExpectedBlob): Promise<WrittenBlob> {
    const writer = await this.startBlob([bytes], options);
    return writer.commit(expected);
  }

  /** The medium as the next process finds it. */
  async reopen(): Promise<ImageDriver> {
    this.#reopened ??= await this.#harness.reopen(this.driver);
    return this.#reopened;
  }

  /** Reads a file in this session where that is possible, and after reopening. */
  async expectFile(path: string, bytes: Uint8Array): Promise<void> {
    if (this.random && this.#reopened === undefined) assertBytes(await readFile(this.driver, path), bytes, path);
    assertBytes(await readFile(await this.reopen(), path), bytes, `${path} after reopening`);
  }

  /** The file is not there now. Does not end the session; says nothing on an append medium, which cannot be asked. */
  async expectInvisible(path: string): Promise<void> {
    if (!this.random) return;
    await assertRejects(() => this.driver.reader(path), `reader of ${path}`, 'NOT_FOUND');
    assertEqual((await listPaths(this.driver)).includes(path), false, `${path} is listed`);
  }

  /** The next process does not find the file, or nothing at all on an append medium that was spoiled. */
  async expectAbsent(path: string): Promise<void> {
    await this.expectInvisible(path);
    let reopened: ImageDriver;
    try {
      reopened = await this.reopen();
    } catch (error) {
      if (this.random) throw error;
      return;
    }
    await assertRejects(() => reopened.reader(path), `reader of ${path} after reopening`, 'NOT_FOUND');
    assertEqual((await listPaths(reopened)).includes(path), false, `${path} is listed after reopening`);
  }

  async end(): Promise<void> {
    await this.driver.abort().catch((error: unknown) => {
      // A driver that gives up its failures again has reported them before.
      if (!isOciTarError(error)) throw error;
    });
    await this.#reopened?.close();
  }
}

export async function readFile(driver: ImageDriver, path: string, start?: number, end?: number): Promise<Uint8Array> {
  const source = await driver.reader(path);
  return collect(source.read(start, end), readLimit, path);
}

export async function listPaths(driver: ImageDriver, prefix?: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of driver.list(prefix)) paths.push(path);
  return paths.sort();
}
