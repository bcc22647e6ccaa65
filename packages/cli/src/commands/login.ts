import { credentialStore, pingRegistry } from '@oci-tar/core';
import type { Credential, CredentialStore } from '@oci-tar/core';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { registryName } from '../registry-name.ts';

export const command = defineCommand({
  spec: '[registry]',
  words: { registry: 'A host such as registry.example:5000; docker.io by default' },
  options: {
    username: { ...textOption('Who one is there'), alias: 'u' },
    'password-stdin': flagOption('Reads the password, or a token, from standard input'),
    'identity-token': flagOption('What comes is an identity token instead of a password'),
  },
  examples: [
    ['oci-tar login registry.example', 'asks for name and password'],
    ['pass show registry | oci-tar login registry.example -u me --password-stdin', 'for scripts: the password is in no argument, which others could see'],
  ],
  remarks: "The credentials are tried before they are kept: where docker's configuration names a helper there, else in its config.json, readable by oneself alone.",
  async run([word], options, context) {
    const registry = registryName(word);
    const credential = await credentialOf(registry, options, context);
    const given: CredentialStore = { find: async () => credential, save: async () => '', remove: async () => [] };
    await pingRegistry(registry, { ...context.registry, credentials: given });
    const { authFile } = context.registry;
    const place = await credentialStore({ env: context.io.env, ...(authFile === undefined ? {} : { file: authFile }) }).save(registry, credential);
    await print(context, { json: { registry, keptIn: place }, text: `logged in to ${registry}; kept in ${place}\n`, names: [registry] });
  },
});

interface Given {
  readonly username: string | undefined;
  readonly 'password-stdin': boolean | undefined;
  readonly 'identity-token': boolean | undefined;
}

async function credentialOf(registry: string, given: Given, context: Context): Promise<Credential> {
  const token = given['identity-token'] === true;
  const piped = given['password-stdin'] === true;
  if (!piped && !context.io.stdin.isTerminal) throw new UsageError('there is nobody to ask for a password', 'Pipe it in, with --username NAME --password-stdin.');
  const username = token ? '' : (given.username ?? (piped ? undefined : await ask(`User name at ${registry}: `, true)));
  if (username === undefined) throw new UsageError('--password-stdin needs to know whose password it is', 'Add --username NAME.');
  const secret = (piped ? await read(context) : await ask(token ? 'Identity token: ' : 'Password: ', false)).replace(/\r?\n$/, '');
  if (secret === '') throw new UsageError('the password is empty');
  return token ? { kind: 'identity-token', token: secret } : { kind: 'password', username, password: secret };
}

async function read(context: Context): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of context.io.stdin.bytes()) {
    size += chunk.byteLength;
    if (size > 65_536) throw new UsageError('the password is longer than 64 KiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Asks on the terminal; what must not be seen is not echoed. */
async function ask(question: string, echo: boolean): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: echo ? process.stderr : silent, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    if (!echo) process.stderr.write('\n');
  }
}
