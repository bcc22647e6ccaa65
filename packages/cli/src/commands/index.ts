import { appendToIndex, createIndex, formatPlatform, isDigest, parsePlatform, removeFromIndex } from '@oci-tar/core';
import type { IndexReport, IndexRequest } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { flagOption, hostPlatform, textsOption } from '../options.ts';
import { displayName, imageJson } from '../outcome.ts';
import { openStore } from '../places.ts';
import { shown } from '../style.ts';
import { pairs } from '../values.ts';

export const command = defineCommand({
  spec: '<work> <name> <what..>',
  usage: '<create|append|rm> <name> <image..|platform..|digest..>',
  words: {
    'create NAME IMAGE..': 'Makes NAME of images for one platform each, or of indexes, whose manifests are taken',
    'append NAME IMAGE..': 'Adds images to NAME',
    'rm NAME WHAT..': 'Takes platforms, or manifests by their digest, out of NAME',
  },
  options: {
    replace: flagOption('An image for a platform that is there already takes its place'),
    annotation: textsOption('KEY=VALUE on the index (repeatable)'),
  },
  examples: [
    ['oci-tar index create hello:1 hello:1-amd64 hello:1-arm64', 'two images become one for two platforms'],
    ['oci-tar index append hello:1 hello:1-riscv64', 'and a third'],
    ['oci-tar index rm hello:1 linux/arm64', 'without one of them again'],
  ],
  remarks: 'The platform of an image is the one in its config. Attestations go with the image that they describe. No blob is copied; the images keep their own names.',
  async run(words, options, context) {
    const [work = '', name = '', ...what] = words;
    if (work !== 'create' && work !== 'append' && work !== 'rm') throw new UsageError(`index does not ${work}`, 'Usage: oci-tar index <create|append|rm> <name> <what..>');
    if (work === 'rm' && options.replace === true) throw new UsageError('--replace goes with create and append');
    const annotations = options.annotation === undefined ? {} : { annotations: pairs(options.annotation, '--annotation') };
    const store = await openStore(context);
    const request: IndexRequest = { store, name, images: what, replace: options.replace === true, ...annotations, signal: context.signal };
    const report = await (work === 'rm'
      ? removeFromIndex({ ...request, children: what.map((word) => (isDigest(word) ? word : parsePlatform(word, hostPlatform()))) })
      : work === 'create'
        ? createIndex(request)
        : appendToIndex(request)
    ).finally(() => store.close());
    await printIndex(context, report);
  },
});

async function printIndex(context: Context, { image, children }: IndexReport): Promise<void> {
  const platforms = children.flatMap(({ platform }) => (platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)]));
  await print(context, {
    json: { ...imageJson(image), manifests: children.map(({ digest, mediaType, size, platform }) => ({ digest, mediaType, size, ...(platform === undefined ? {} : { platform: formatPlatform(platform) }) })) },
    text: `${displayName(image)}  ${image.descriptor.digest}  ${shown(platforms.join(', '))}\n`,
    names: [image.descriptor.digest],
  });
}
