import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';

const argv = [...process.argv];
let folder = '';

afterEach(async () => {
  process.argv = argv;
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

it('examples/driver-api.mjs makes, writes, reads, copies and verifies an image', async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-tar-example-'));
  process.argv[2] = folder;
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  await import('../examples/driver-api.mjs');
  expect(lines.filter((line) => line.startsWith('  file') && line.includes('blobs/sha256/'))).toHaveLength(3);
  expect(lines.at(-1)).toContain('verified 3 blobs');
  expect(lines.at(-1)).toContain('0 problems');
  expect(JSON.parse(await readFile(join(folder, 'layout/index.json'), 'utf8'))).toMatchObject({ manifests: [{ annotations: { 'org.opencontainers.image.ref.name': 'docker.io/library/hello:1' } }] });
});
