import { OciTarError, localStore, normalizeName, removeImage } from '@oci-tar/core';
import type { NamedImage } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { flagOption } from '../options.ts';
import { displayName, imageJson } from '../outcome.ts';
import { pruneText, pruned } from './prune.ts';

export const command = defineCommand({
  spec: '<image..>',
  words: { image: 'Names in the local store' },
  options: { prune: flagOption('Then frees what no image needs any more, as oci-tar prune does') },
  examples: [
    ['oci-tar rm hello:1', 'takes the name away'],
    ['oci-tar rm hello:1 other:2', 'both, or none when one of them does not exist'],
    ['oci-tar rm hello:1 --prune', 'the name, and the space that only it needed'],
  ],
  remarks: 'Other names of the same image stay. Blobs, which other images may share, stay until oci-tar prune.',
  async run(words, options, context) {
    const images = await removed(words, context);
    const freed = options.prune === true ? await pruned(context) : undefined;
    await print(context, {
      json: { removed: images.map(imageJson), ...(freed === undefined ? {} : { pruned: freed }) },
      text: images.map((image) => `removed ${displayName(image)}  ${image.descriptor.digest}\n`).join('') + (freed === undefined ? '' : pruneText(freed)),
    });
    if (freed === undefined) note(context, 'Only names are gone. oci-tar prune frees the space of what no image needs.');
  },
});

async function removed(words: readonly string[], context: Context): Promise<readonly NamedImage[]> {
  const store = await localStore(context.store);
  try {
    const images: NamedImage[] = [];
    const names = new Set<string | undefined>();
    for await (const { name } of store.images()) names.add(name);
    for (const word of new Set(words.map(normalizeName))) {
      const image = await store.resolve(word);
      // By digest an image is found under whatever name it has; only a name can be taken away.
      if (!names.has(image.name)) throw new OciTarError('NOT_FOUND', `${context.store} has no name ${word}`, { subject: word, hint: 'Its digest is there under another name: see oci-tar images --digests.' });
      images.push(image);
    }
    for (const { name, descriptor } of images) await removeImage(store, name ?? descriptor.digest);
    return images;
  } finally {
    await store.close();
  }
}
