import yargs from 'yargs';
import { defineCommand } from '../command.ts';
import { UsageError } from '../failure.ts';

const shells: readonly string[] = ['bash', 'zsh', 'fish'];

export const command = defineCommand({
  spec: '[shell]',
  words: { shell: 'bash, zsh or fish; by default the one in SHELL' },
  options: {},
  examples: [
    ['oci-tar completion bash >> ~/.bashrc', 'for bash'],
    ['oci-tar completion zsh >> ~/.zshrc', 'for zsh'],
    ['oci-tar completion fish > ~/.config/fish/completions/oci-tar.fish', 'for fish'],
  ],
  async run([given], _, { io }) {
    const shell = given ?? shells.find((name) => io.env['SHELL']?.includes(name)) ?? 'bash';
    if (!shells.includes(shell)) throw new UsageError(`there is no completion for ${shell}`, `There is one for ${shells.join(', ')}.`);
    await io.stdout.write(`${await scriptFor(shell)}\n`);
  },
});

/** yargs' own script; it looks for the shell in the environment only. */
function scriptFor(shell: string): Promise<string> {
  const before = process.env['SHELL'];
  process.env['SHELL'] = shell;
  try {
    const parser = yargs([]).scriptName('oci-tar').exitProcess(false).completion('completion');
    return new Promise((resolve, reject) => {
      void parser.parse(['completion'], {}, (error, _, text) => (error ? reject(error) : resolve(text)));
    });
  } finally {
    if (before === undefined) delete process.env['SHELL'];
    else process.env['SHELL'] = before;
  }
}
