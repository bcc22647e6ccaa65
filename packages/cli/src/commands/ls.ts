import { listFiles } from '@oci-tar/core';
import type { ImageListing } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print, printLines } from '../context.ts';
import { ReadingProgress, lookAt, lookOptions, lookedAtJson } from '../looking.ts';
import { flagOption } from '../options.ts';
import { imageWord, placeOf, withSource } from '../places.ts';
import { longText, nodeJson, pathJson, pathText } from '../tree-text.ts';

export const command = defineCommand({
  spec: '<image> [path]',
  words: { image: imageWord, path: 'A directory or a file in it; its root by default' },
  options: {
    ...lookOptions,
    long: { ...flagOption('With mode, owner, size, time in UTC, and the layer that each comes from'), alias: 'l' },
    recursive: { ...flagOption('Also what is in the directories inside'), alias: 'R' },
  },
  examples: [
    ['oci-tar ls hello:1', 'what is in the root of an image'],
    ['oci-tar ls -l hello:1 /etc', 'a directory, with all that is known of each file'],
    ['oci-tar ls -R oci-archive:out.tar:hello:1', 'the whole tree of an image in an archive'],
  ],
  remarks: 'Lists what a container would see: files that a higher layer replaces or takes away are not there. Layers are numbered from the base, which is 1. Symlinks on the way are followed inside the image.',
  async run([word = '', path = ''], options, context) {
    const place = placeOf(word);
    await withSource(context, place, async (source) => {
      const reading = new ReadingProgress(context);
      const looking = await lookAt(context, source, place, options.platform, reading);
      reading.begin('reading', looking.stored);
      const listing = await listFiles({ ...looking.request, path, recursive: options.recursive === true });
      const names = namesOf(listing);
      if (!context.json && (context.quiet || options.long !== true)) return printLines(context, names);
      const { image, tree, nodes, path: found } = listing;
      const json = context.json ? { ...lookedAtJson(looking), ...pathJson(found), files: nodes.map((node) => nodeJson(image, tree, node)) } : undefined;
      await print(context, { json, text: longText(image, tree, nodes) });
    });
  },
});

function* namesOf(listing: ImageListing): Generator<string, void, void> {
  for (const { path } of listing.each()) yield pathText(path);
}
