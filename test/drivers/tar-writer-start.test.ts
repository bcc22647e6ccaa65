import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Verifier, isOciTarError, tarWriter } from '@oci-tar/core';
import type { Digest } from '@oci-tar/core';
import { MemorySink } from '../support/sinks.ts';

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a blob writer of a tar that cannot be started', () => {
  it('gives its hash up, which on a thread would keep the process alive', async () => {
    const driver = tarWriter(new MemorySink());
    await driver.blobWriter({ digest: digest('a'), size: 8 });
    const dispose = vi.spyOn(Verifier.prototype, 'dispose');
    await expect(driver.blobWriter({ digest: digest('b'), size: 8 })).rejects.toSatisfy((error) => isOciTarError(error, 'CONFLICT'));
    expect(dispose).toHaveBeenCalledTimes(1);
    await driver.abort();
  });

  it.runIf(process.platform === 'linux')('leaves no file open', async () => {
    const driver = tarWriter(new MemorySink());
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let n = 0; n < 20; n++) await expect(driver.blobWriter({ digest: 'md5:abc' })).rejects.toSatisfy((error) => isOciTarError(error, 'UNSUPPORTED'));
    expect(open()).toBeLessThan(before + 10);
    await driver.abort();
  });
});
