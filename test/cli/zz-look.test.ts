import { it } from 'vitest';
import { openDirectory } from '@oci-tar/core';
import { addMulti } from '/work/main/test/support/multi.ts';
import { Cli } from '/work/main/test/cli/support.ts';
it('x', async () => {
  const cli = new Cli();
  const store = await openDirectory(cli.path('store'), { mayBeNew: true });
  await addMulti(store, 'docker.io/library/multi:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
  await cli.run(['export', 'multi:1', '@one.tar', '--platform', 'linux/amd64']);
  for (const args of [['import', '@one.tar', '--dry-run'], ['import', '@one.tar', '--dry-run', '--all-platforms'], ['import', '@one.tar', '--all-platforms'], ['copy', 'multi:1', 'oci:@l', '--dry-run', '--platform', 'linux/arm64', '--rewrite-index'], ['copy', 'multi:1', 'docker-archive:@l.tar', '--dry-run'], ['help', 'import']]) {
    const { status, stdout, stderr } = await cli.run(args);
    console.log(args.join(' '), status, '\n' + stdout + '---\n' + stderr);
  }
});
