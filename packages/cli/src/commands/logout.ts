import { credentialStore } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { registryName } from '../registry-name.ts';

export const command = defineCommand({
  spec: '[registry]',
  words: { registry: 'A host such as registry.example:5000; docker.io by default' },
  options: {},
  examples: [['oci-tar logout registry.example', 'forgets the credentials for it, wherever docker or podman keep them']],
  async run([word], _options, context) {
    const registry = registryName(word);
    const { authFile } = context.registry;
    const places = await credentialStore({ env: context.io.env, ...(authFile === undefined ? {} : { file: authFile }) }).remove(registry);
    const text = places.length === 0 ? `there were no credentials for ${registry}\n` : `logged out of ${registry}: removed from ${places.join(', ')}\n`;
    await print(context, { json: { registry, removedFrom: places }, text, names: [registry] });
  },
});
