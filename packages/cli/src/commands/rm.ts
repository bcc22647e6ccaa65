import { OciTarError, isDigest, normalizeName, parseLocation, removeImage } from '@oci-tar/core';
import type { ImageStore, NamedImage } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { flagOption } from '../options.ts';
import { displayName, familiar, imageJson } from '../outcome.ts';
import { openStore, withSource } from '../places.ts';
import { checkPrunable, pruneText, pruned, prunesItself } from './prune.ts';

export const command = defineCommand({
  spec: '<image..>',
  words: { image: 'Names in the local store, the digest of an image without one, or docker://NAME in a registry' },
  options: { prune: flagOption('Then frees what no image needs any more, as oci-tar prune does') },
  examples: [
    ['oci-tar rm hello:1', 'takes the name away'],
    ['oci-tar rm hello:1 other:2', 'both, or none when one of them does not exist'],
    ['oci-tar rm hello:1 --prune', 'the name, and the space that only it needed'],
    ['oci-tar rm docker://registry.example/app:1', 'in a registry, where that is allowed'],
    ['oci-tar rm sha256:<hex>', 'an image that has no name; oci-tar images shows it by its digest'],
  ],
  remarks: 'Other names of the same image stay. Blobs, which other images may share, stay until oci-tar prune.',
  async run(words, options, context) {
    // Before a name is gone.
    if (options.prune === true) checkPrunable(context);
    const remote = words.filter((word) => word.startsWith('docker://'));
    const local = words.filter((word) => !word.startsWith('docker://'));
    const images = [...(local.length === 0 ? [] : await removed(local, context)), ...(await removedRemotely(remote, context))];
    const freed = options.prune === true ? await pruned(context) : undefined;
    await print(context, {
      json: { removed: images.map(imageJson), ...(freed === undefined ? {} : { pruned: freed }) },
      text: images.map((image) => `removed ${displayName(image)}  ${image.descriptor.digest}\n`).join('') + (freed === undefined ? '' : pruneText(freed)),
    });
    if (freed === undefined && local.length > 0 && !prunesItself(context)) note(context, 'Only names are gone. oci-tar prune frees the space of what no image needs.');
  },
});

async function removed(words: readonly string[], context: Context): Promise<readonly NamedImage[]> {
  const store = await openStore(context);
  try {
    const listed: NamedImage[] = [];
    for await (const image of store.images()) listed.push(image);
    const images: NamedImage[] = [];
    const wanted = new Set(words.map((word) => (isBareDigest(word) ? word : normalizeName(word))));
    for (const word of wanted) images.push(isBareDigest(word) ? nameless(listed, word, store.name) : await named(store, listed, word));
    for (const { name, descriptor } of images) await removeImage(store, name ?? descriptor.digest);
    return images;
  } finally {
    await store.close();
  }
}

async function removedRemotely(words: readonly string[], context: Context): Promise<readonly NamedImage[]> {
  const images: NamedImage[] = [];
  for (const word of words) {
    const location = parseLocation(word);
    images.push(
      await withSource(context, location, async (store) => {
        const image = await store.resolve(location.reference ?? '');
        await removeImage(store, location.reference ?? '');
        return image;
      }),
    );
  }
  return images;
}

/** By the grammar of digests alone `hello:1` is one, too. */
function isBareDigest(word: string): boolean {
  return /^sha(?:256|512):/.test(word) && isDigest(word);
}

async function named(store: ImageStore, listed: readonly NamedImage[], word: string): Promise<NamedImage> {
  const image = await store.resolve(word);
  // By digest an image is found under whatever name it has; only a name can be taken away.
  if (listed.some(({ name }) => name === image.name)) return image;
  throw new OciTarError('NOT_FOUND', `${store.name} has no name ${word}`, { subject: word, hint: 'Its digest is there under another name: see oci-tar images --digests.' });
}

/** A digest stands for what is listed without a name. Of an image with names it would not say which one goes. */
function nameless(listed: readonly NamedImage[], digest: string, where: string): NamedImage {
  const same = listed.filter(({ descriptor }) => descriptor.digest === digest);
  const found = same.find(({ name }) => name === undefined);
  if (found !== undefined) return found;
  const [first] = same.flatMap(({ name }) => name ?? []);
  if (first === undefined) throw new OciTarError('NOT_FOUND', `${where} lists no ${digest}`, { subject: digest, hint: 'See oci-tar images --digests.' });
  throw new OciTarError('NOT_FOUND', `${digest} has a name in ${where}`, { subject: digest, hint: `Take that away: oci-tar rm ${familiar(first)}` });
}
