import { listRepositories, listTags, parseLocation } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { flagOption } from '../options.ts';
import { shown } from '../style.ts';

export const command = defineCommand({
  spec: '<repository>',
  words: { repository: 'A repository such as docker://host/name, or with --repositories a registry such as host:5000' },
  options: { repositories: flagOption('Lists the repositories of a registry; many registries show nobody all of them') },
  examples: [
    ['oci-tar tags docker://registry.example/team/app', 'the tags of a repository, one a line'],
    ['oci-tar tags --repositories docker://localhost:5000', 'the repositories of a registry'],
  ],
  async run([word = ''], options, context) {
    const name = word.replace(/^docker:\/\//, '').replace(/\/$/, '');
    const found: string[] = [];
    const list = options.repositories === true ? listRepositories(name, context.registry) : listTags(parseLocation(`docker://${name}`).path ?? name, context.registry);
    for await (const one of list) found.push(one);
    const key = options.repositories === true ? 'repositories' : 'tags';
    await print(context, { json: { [key]: found }, text: found.map((one) => `${shown(one)}\n`).join(''), names: found });
  },
});
