import { OciTarError, isDigest, openLayerToc } from '@oci-tar/core';
import type { ImageLayer, LayerToc, OpenedImage, TocVoucher } from '@oci-tar/core';
import { into, only } from '../blob-io.ts';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { layerText, lookAt, lookOptions, lookedAtJson } from '../looking.ts';
import type { Looking } from '../looking.ts';
import { flagOption } from '../options.ts';
import { imageWord, placeOf, withSource } from '../places.ts';
import { counted, formatSize, table } from '../style.ts';
import { tocJson, tocSummary, tocText } from '../toc-text.ts';

export const command = defineCommand({
  spec: '<image> [layer]',
  words: { image: imageWord, layer: 'The number of a layer, the base being 1, or its digest or the head of that' },
  options: { ...lookOptions, long: { ...flagOption('The table of contents of a layer as a table for people'), alias: 'l' } },
  examples: [
    ['oci-tar toc app:1', 'which layers can be read in pieces'],
    ['oci-tar toc app:1 2 > toc.json', 'the table of contents of one of them, as it stands in it'],
    ['oci-tar toc app:1 2 --long', 'the same for people'],
  ],
  remarks: 'Reads only the end of each layer. Tables that the manifest vouches for are what ls and cat go by; others are believed by nobody, and such layers are read whole.',
  async run([word = '', wanted], options, context) {
    const place = placeOf(word);
    await withSource(context, place, async (source) => {
      const looking = await lookAt(context, source, place, options.platform);
      if (wanted !== undefined) return printOne(context, looking, layerAt(looking.image, wanted), options.long === true);
      if (options.long === true) throw new OciTarError('INVALID_ARGUMENT', '--long is for the table of contents of one layer', { hint: 'Say which layer, the base being 1.' });
      const found: (LayerToc | undefined)[] = [];
      for (const layer of looking.image.layers) found.push(await openLayerToc(layer, { signal: context.signal }));
      await print(context, { json: imageJson(looking, found), text: imageText(looking, found), names: found.flatMap((toc) => (toc === undefined ? [] : [toc.layer.tocDigest])) });
    });
  },
});

const vouchers: Readonly<Record<TocVoucher, string>> = {
  vouched: 'vouched for',
  incomplete: 'vouched for, but not with every digest',
  differs: 'the manifest has another',
  none: 'nobody vouches for it',
};

function imageText({ image }: Looking, tocs: readonly (LayerToc | undefined)[]): string {
  const rows = tocs.map((toc, position) => {
    const size = formatSize(image.layers[position]?.descriptor.size ?? 0);
    if (toc === undefined) return [layerText(image, position), size, '-', '', ''];
    return [layerText(image, position), size, toc.layer.parts.decompressor.name, tocSummary(toc.layer), vouchers[toc.voucher]];
  });
  return rows.length === 0 ? 'no layers\n' : table(rows);
}

function imageJson(looking: Looking, tocs: readonly (LayerToc | undefined)[]): object {
  return { ...lookedAtJson(looking), layers: tocs.map((toc, position) => ({ ...layerFields(looking.image, position), ...(toc === undefined ? {} : tocJsonOf(toc)) })) };
}

function layerFields({ layers }: OpenedImage, position: number): object {
  const { digest, size, mediaType } = layers[position]?.descriptor ?? {};
  return { number: position + 1, digest, size, mediaType };
}

function tocJsonOf({ layer, voucher, expected }: LayerToc): object {
  const { decompressor, tocOffset } = layer.parts;
  const entries = layer.toc.entries.filter(({ type }) => type !== 'chunk').length;
  return { format: decompressor.name, tocDigest: layer.tocDigest, ...(tocOffset === undefined ? {} : { tocOffset }), entries, chunks: layer.chunks.length, voucher, ...(expected === undefined ? {} : { expected }) };
}

/** The layer's position. NOT_FOUND, or INVALID_ARGUMENT where a head of a digest fits several. */
function layerAt({ layers }: OpenedImage, wanted: string): number {
  if (/^\d{1,4}$/.test(wanted)) {
    const position = Number(wanted) - 1;
    if (layers[position] !== undefined) return position;
    throw new OciTarError('NOT_FOUND', `there is no layer ${wanted}: the image has ${counted(layers.length, 'layer')}`, { side: 'source', subject: wanted });
  }
  const head = isDigest(wanted) || wanted.includes(':') ? wanted : `sha256:${wanted}`;
  const found = layers.flatMap(({ descriptor }, position) => (descriptor.digest.startsWith(head) ? [position] : []));
  const [first] = found;
  if (first === undefined) throw new OciTarError('NOT_FOUND', `the image has no layer ${wanted}`, { side: 'source', subject: wanted });
  if (new Set(found.map((position) => layers[position]?.descriptor.digest)).size > 1) throw new OciTarError('INVALID_ARGUMENT', `${wanted} fits several layers`, { subject: wanted });
  return first;
}

async function printOne(context: Context, looking: Looking, position: number, long: boolean): Promise<void> {
  const layer: ImageLayer | undefined = looking.image.layers[position];
  const toc = layer === undefined ? undefined : await openLayerToc(layer, { signal: context.signal });
  if (toc === undefined) {
    const text = layerText(looking.image, position);
    throw new OciTarError('NOT_FOUND', `layer ${text} has no table of contents that can be read`, { side: 'source', subject: text, hint: 'oci-tar convert --estargz writes layers that have one.' });
  }
  if (toc.voucher !== 'vouched') note(context, `${layerText(looking.image, position)}: ${vouchers[toc.voucher]}`);
  if (!long && !context.json && !context.quiet) return void (await into(context.io.stdout.sink(), only(await tocJson(toc.layer))));
  const json = context.json ? { ...lookedAtJson(looking), layer: { ...layerFields(looking.image, position), ...tocJsonOf(toc) }, toc: JSON.parse(new TextDecoder().decode(await tocJson(toc.layer))) as unknown } : undefined;
  await print(context, { json, text: context.json || context.quiet ? '' : tocText(toc.layer), names: [toc.layer.tocDigest] });
}
