// Builds both packages: @oci-tar/core with tsc (modules and types), oci-tar as a bundle.
import { pathToFileURL } from 'node:url';
import { install, runTool } from './workspace.mjs';

/** Builds into packages/<name>/dist. Throws when a step fails, after trying both. */
export async function build() {
  const status = runTool('tsc', ['-b']);
  const { writeBundle } = await import('./bundle.mjs');
  await writeBundle();
  if (status !== 0) throw new Error('the types do not check');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    install();
    await build();
  } catch (error) {
    console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
