import { tagImage } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { displayName, familiar, imageJson } from '../outcome.ts';
import { openStore } from '../places.ts';

export const command = defineCommand({
  spec: '<image> <new-name>',
  words: { image: 'An image in the local store', 'new-name': 'One more name for it; where that is taken, it moves' },
  options: {},
  examples: [['oci-tar tag hello:1 example.org/team/hello:latest', 'the same image under two names; no blob is copied']],
  async run(words, _, context) {
    const [name = '', newName = ''] = words;
    const store = await openStore(context);
    const image = await tagImage(store, name, newName).finally(() => store.close());
    await print(context, { json: imageJson(image), text: `${displayName(image)}  ${image.descriptor.digest}\n`, names: [familiar(newName)] });
  },
});
