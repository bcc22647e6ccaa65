import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import { root } from '../workspace/source-files.ts';

const docs = join(root, 'docs');
const pages = [...readFileSync(join(docs, 'README.md'), 'utf8').matchAll(/^\| \[([\w-]+\.md)\]/gm)].map((match) => match[1] ?? '');
const home = mkdtempSync(join(tmpdir(), 'oci-tar-docs-'));

beforeAll(async () => {
  const { files } = await bundleCli();
  mkdirSync(join(home, 'dist'));
  for (const [name, text] of files) writeFileSync(join(home, 'dist', name), text);
  copyFileSync(join(root, 'packages/cli/package.json'), join(home, 'package.json'));
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

/** The blocks of a page that are marked `sh`, as one script. */
function scriptOf(page: string): string {
  return [...readFileSync(join(docs, page), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '').join('\n');
}

describe('the pages of the documentation', () => {
  it('are found, with commands in them', () => {
    expect(pages.length).toBeGreaterThan(6);
    expect(pages.filter((page) => scriptOf(page).includes('oci-tar')).length).toBeGreaterThan(6);
  });

  it.concurrent.each(pages)('%s has commands that work', async (page) => {
    const cwd = mkdtempSync(join(home, 'page-'));
    mkdirSync(join(cwd, 'rootfs'));
    writeFileSync(join(cwd, 'rootfs/hello.sh'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
    const script = `set -eo pipefail\noci-tar() { "${process.execPath}" "${join(home, 'dist/main.js')}" "$@"; }\n${scriptOf(page)}`;
    const child = spawn('bash', ['-c', script], { cwd, env: { PATH: process.env['PATH'], HOME: cwd }, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    expect(status, stderr).toBe(0);
  });

  it('link to pages that are there', () => {
    const broken = [...pages, 'README.md'].flatMap((page) =>
      [...readFileSync(join(docs, page), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '').filter((link) => !existsSync(join(docs, link))).map((link) => `${page}: ${link}`),
    );
    expect(broken).toEqual([]);
  });
});
