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
    await io.stdout.write(await scriptFor(shell));
  },
});

/** The shell is told too: SHELL is that of the login, not always the one that asks. */
async function scriptFor(shell: string): Promise<string> {
  if (shell === 'bash') return bashScript;
  if (shell === 'fish') return fishScript;
  return `${(await zshScript()).replace('oci-tar --get-yargs-completions', 'SHELL=zsh oci-tar --get-yargs-completions').trimEnd()}\n`;
}

/** Not yargs' own: bash ends words at colons, which the names of images have. Bash 3.2 of macOS has no mapfile. */
const bashScript = [
  '###-begin-oci-tar-completions-###',
  '_oci_tar_completions()',
  '{',
  '    local line="${COMP_LINE:0:COMP_POINT}"',
  '    local word="${line##*[[:space:]]}" words choice head=""',
  '    read -r -a words <<< "${line%"$word"}"',
  '    [[ $COMP_WORDBREAKS == *:* ]] && head="${word%"${word##*:}"}"',
  '    COMPREPLY=()',
  '    while IFS= read -r choice; do',
  '        [[ $choice == "$word"* ]] && COMPREPLY+=("${choice#"$head"}")',
  '    done < <(SHELL=bash oci-tar --get-yargs-completions "${words[@]}" "$word" 2>/dev/null)',
  '}',
  'complete -o bashdefault -o default -F _oci_tar_completions oci-tar',
  '###-end-oci-tar-completions-###',
  '',
].join('\n');

/** Not yargs' own, which has no files, and takes the word before the one that is begun for it. */
const fishScript = `###-begin-oci-tar-completions-###
complete -c oci-tar -a '(env SHELL=fish oci-tar --get-yargs-completions (commandline -opc) (commandline -ct) 2>/dev/null)'
###-end-oci-tar-completions-###
`;

/** yargs' own; it looks for the shell in the environment only. */
function zshScript(): Promise<string> {
  const before = process.env['SHELL'];
  process.env['SHELL'] = 'zsh';
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
