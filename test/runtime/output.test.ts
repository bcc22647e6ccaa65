import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutput } from '@oci-tar/core';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-tar-output-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const text = new TextEncoder().encode('the new content');

describe('an output file', () => {
  it('appears whole at commit, over what was there, and not before', async () => {
    const path = join(folder, 'out.tar');
    await writeFile(path, 'old');
    const output = await openOutput(path);
    await output.write(text.subarray(0, 7));
    expect(await readFile(path, 'utf8')).toBe('old');
    await output.write(text.subarray(7));
    await output.commit();
    expect(await readFile(path, 'utf8')).toBe('the new content');
    expect(await readdir(folder)).toEqual(['out.tar']);
  });

  it('leaves what was there, and nothing else, when it is given up', async () => {
    const path = join(folder, 'out.tar');
    await writeFile(path, 'old');
    const output = await openOutput(path);
    await output.write(text);
    await output.abort();
    await output.abort();
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['out.tar']);
  });

  it.each([0o600, 0o664, 0o444])('keeps the mode of the file whose place it takes (%o)', async (mode) => {
    const path = join(folder, 'out.tar');
    await writeFile(path, 'old');
    await chmod(path, mode);
    const output = await openOutput(path);
    const [temporary = ''] = (await readdir(folder)).filter((name) => name !== 'out.tar');
    expect((await stat(join(folder, temporary))).mode & 0o777 & ~mode).toBe(0);
    await output.write(text);
    await output.commit();
    expect((await stat(path)).mode & 0o777).toBe(mode);
  });

  it.each([true, false])('behind a symbolic link is written where the link leads, and the link stays (target there: %s)', async (there) => {
    const target = join(folder, 'real.tar');
    if (there) await writeFile(target, 'old');
    await symlink('real.tar', join(folder, 'link.tar'));
    const output = await openOutput(join(folder, 'link.tar'));
    await output.write(text);
    await output.commit();
    expect(await readlink(join(folder, 'link.tar'))).toBe('real.tar');
    expect(await readFile(target, 'utf8')).toBe('the new content');
  });

  it('that is a FIFO is written and stays one', async () => {
    const path = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const reading = readFile(path, 'utf8');
    const output = await openOutput(path);
    await output.write(text);
    await output.commit();
    expect(await reading).toBe('the new content');
    expect((await stat(path)).isFIFO()).toBe(true);
  });

  it('may be /dev/null', async () => {
    const output = await openOutput('/dev/null');
    await output.write(text);
    await output.commit();
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it('in a folder that is not there, or that is a folder, fails with a code', async () => {
    await expect(openOutput(join(folder, 'no/out.tar'))).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringMatching(/\/no: it does not exist$/) });
    await symlink('no/out.tar', join(folder, 'link.tar'));
    await expect(openOutput(join(folder, 'link.tar'))).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringMatching(/\/no: it does not exist$/) });
    await expect(openOutput(folder)).rejects.toHaveProperty('code');
  });

  it('says so when the disk is full', async () => {
    const output = await openOutput('/dev/full');
    const writing = (async () => {
      for (let i = 0; i < 3; i++) await output.write(text);
      await output.commit();
    })();
    await expect(writing).rejects.toMatchObject({ code: 'NO_SPACE' });
    await output.abort();
  });
});
