import { localStore, normalizeName, removeImage } from '@oci-tar/core';
import type { NamedImage } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { displayName, imageJson } from '../outcome.ts';

export const command = defineCommand({
  spec: '<image..>',
  words: { image: 'Names in the local store' },
  options: {},
  examples: [
    ['oci-tar rm hello:1', 'takes the name away'],
    ['oci-tar rm hello:1 other:2', 'both, or none when one of them does not exist'],
  ],
  remarks: 'Other names of the same image stay, and so do its blobs, which other images may share.',
  async run(words, _, context) {
    const store = await localStore(context.store);
    try {
      const images: NamedImage[] = [];
      for (const word of new Set(words.map(normalizeName))) images.push(await store.resolve(word));
      for (const { name, descriptor } of images) await removeImage(store, name ?? descriptor.digest);
      await print(context, {
        json: { removed: images.map(imageJson) },
        text: images.map((image) => `removed ${displayName(image)}  ${image.descriptor.digest}\n`).join(''),
      });
    } finally {
      await store.close();
    }
  },
});
