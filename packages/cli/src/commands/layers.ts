import { describeLayers, formatPlatform } from '@oci-tar/core';
import type { LayerDescription, LayersReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { ReadingProgress, lookAt, lookOptions, lookedAtJson, shownPath } from '../looking.ts';
import type { Looking } from '../looking.ts';
import { flagOption } from '../options.ts';
import { imageWord, placeOf, withSource } from '../places.ts';
import { counted, formatSize } from '../style.ts';

export const command = defineCommand({
  spec: '<image>',
  words: { image: imageWord },
  options: { ...lookOptions, quick: flagOption('Reads no layer: without their size unpacked, and what they add and hide') },
  examples: [
    ['oci-tar layers hello:1', 'how an image was put together'],
    ['oci-tar layers hello:1 --quick', 'the same from manifest and config alone'],
    ['oci-tar layers hello:1 --json', 'for programs'],
  ],
  remarks: 'The base comes first and is number 1. A layer hides what of the layers below is gone or replaced because of it; what it adds is seen unless a layer above hides it.',
  async run([word = ''], options, context) {
    const place = placeOf(word);
    await withSource(context, place, async (source) => {
      const reading = new ReadingProgress(context);
      const looking = await lookAt(context, source, place, options.platform, reading);
      if (options.quick !== true) reading.begin('reading', looking.stored);
      const report = await describeLayers({ ...looking.request, quick: options.quick === true });
      await print(context, { json: reportJson(looking, report), text: reportText(looking, report), names: report.layers.map(({ layer }) => layer.descriptor.digest) });
    });
  },
});

function reportJson(looking: Looking, { layers }: LayersReport): object {
  return {
    ...lookedAtJson(looking),
    layers: layers.map(({ layer: { descriptor, diffID, history }, size, effect }, position) => ({
      number: position + 1,
      digest: descriptor.digest,
      diffID,
      mediaType: descriptor.mediaType,
      compressedSize: descriptor.size,
      ...(size === undefined ? {} : { size }),
      ...(effect === undefined ? {} : { effect }),
      ...(history === undefined ? {} : { history }),
    })),
  };
}

function reportText({ name, image }: Looking, { layers }: LayersReport): string {
  const stored = layers.reduce((sum, { layer }) => sum + layer.descriptor.size, 0);
  const head = `${shownPath(name)}  ${formatPlatform(image.platform)}  ${counted(layers.length, 'layer')}, ${formatSize(stored)}\n`;
  return head + layers.map((layer, position) => `\n${layerText(layer, position + 1)}`).join('');
}

function layerText({ layer: { descriptor, diffID, history }, size, effect }: LayerDescription, number: number): string {
  const lines = [
    `${number}  ${descriptor.digest}`,
    `diffID  ${diffID}`,
    `type    ${shownPath(descriptor.mediaType)}`,
    `size    ${formatSize(descriptor.size)}${size === undefined ? '' : `, unpacked ${formatSize(size)}`}`,
  ];
  if (effect !== undefined) {
    const { entries, visible, hides, whiteouts, bytes } = effect;
    const seen = visible === entries ? '' : `, ${visible} of them seen`;
    lines.push(`adds    ${entries === 1 ? '1 entry' : `${entries} entries`}${seen}, ${formatSize(bytes)} in files`);
    if (hides + whiteouts > 0) lines.push(`hides   ${counted(hides, 'path')} below, with ${counted(whiteouts, 'whiteout')}`);
  }
  if (history !== undefined) {
    const { created, created_by: by, author, comment } = history;
    const told = [created ?? '', by ?? '', author === undefined ? '' : `by ${author}`, comment === undefined ? '' : `# ${comment}`].filter((text) => text !== '');
    if (told.length > 0) lines.push(`step    ${told.map((text) => shownPath(text.replace(/\s+/g, ' '))).join('  ')}`);
  }
  return lines.map((line, row) => `${row === 0 ? '' : '   '}${line}\n`).join('');
}
