import { OciTarError, matchPlatform, parsePlatform, readBlob } from '@oci-tar/core';
import type { Platform } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { imageDetails, purposeOf } from '../image-details.ts';
import type { ImageDetails, ManifestDetails } from '../image-details.ts';
import { imageDetailsJson, imageText } from '../image-text.ts';
import { flagOption, hostPlatform, textOption } from '../options.ts';
import { displayName } from '../outcome.ts';
import { imageAt, imageWord, placeOf, withSource } from '../places.ts';

export const command = defineCommand({
  spec: '<image>',
  words: { image: imageWord },
  options: {
    raw: { ...flagOption("The bytes of the image's manifest or index, unchanged"), conflicts: 'config' },
    config: flagOption("The bytes of the image's config, unchanged"),
    platform: textOption('Only this platform'),
  },
  examples: [
    ['oci-tar inspect hello:1', 'what the image is made of and how it runs'],
    ['oci-tar inspect oci-archive:out.tar:hello:1 --json', 'the same for programs, out of an archive'],
    ['oci-tar inspect hello:1 --raw | sha256sum', "the image's digest, computed anew"],
    ['oci-tar inspect hello:1 --config --platform linux/arm64', 'the config of one platform'],
  ],
  remarks: '--config of an image with several platforms takes the one that fits this machine, unless --platform says which.',
  async run([word = ''], options, context) {
    const place = placeOf(word);
    const platform = options.platform === undefined ? undefined : parsePlatform(options.platform, hostPlatform());
    await withSource(context, place, async (source) => {
      const image = await imageAt(source, place);
      if (options.raw === true && platform === undefined) return writeBytes(context, await readBlob(source, image.descriptor));
      const details = chosen(await imageDetails(source, image, context.signal), platform);
      if (options.raw === true) return writeBytes(context, await readBlob(source, bestOf(details, platform).descriptor));
      if (options.config === true) return writeBytes(context, await readBlob(source, bestOf(details, platform).manifest.config));
      await print(context, { json: imageDetailsJson(details), text: imageText(details, context), names: [image.descriptor.digest] });
    });
  },
});

function chosen(details: ImageDetails, wanted: Platform | undefined): ImageDetails {
  if (wanted === undefined) return details;
  const matcher = matchPlatform(wanted);
  const manifests = details.manifests.filter(({ platform }) => platform !== undefined && matcher.match(platform));
  return manifests.length === 0 ? nothing(details) : { ...details, manifests };
}

/** The manifest that fits the wanted platform, or else this machine, best. */
function bestOf(details: ImageDetails, wanted: Platform = hostPlatform()): ManifestDetails {
  const matcher = matchPlatform(wanted);
  const nowhere: Platform = { os: '', architecture: '' };
  const [best] = [...details.manifests].sort((a, b) => matcher.compare(a.platform ?? nowhere, b.platform ?? nowhere));
  return best ?? nothing(details);
}

function nothing({ image, manifests }: ImageDetails): never {
  const has = manifests.map(purposeOf).join(', ');
  throw new OciTarError('NOT_FOUND', `${displayName(image)} has no such manifest here`, { subject: displayName(image), hint: has === '' ? 'None of its manifests is here.' : `It has ${has}.` });
}

async function writeBytes(context: Context, bytes: Uint8Array): Promise<void> {
  const sink = context.io.stdout.sink();
  await sink.write(bytes);
  await sink.commit();
}
