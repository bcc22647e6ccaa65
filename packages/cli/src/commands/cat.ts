import { readFile, textOfPath } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { layerJson, lookAt, lookOptions, lookedAtJson } from '../looking.ts';
import { flagOption } from '../options.ts';
import { imageWord, placeOf, withSource } from '../places.ts';

export const command = defineCommand({
  spec: '<image> <path>',
  words: { image: imageWord, path: 'A file in it, from its root' },
  options: { ...lookOptions, 'no-verify': flagOption('Does not verify the layers: reads no further than the file, and believes it') },
  examples: [
    ['oci-tar cat hello:1 /hello.sh', 'prints one file of an image'],
    ['oci-tar cat oci-archive:out.tar:hello:1 etc/os-release', 'the same out of an archive, which is not unpacked'],
    ['oci-tar cat hello:1 /hello.sh --json', 'says where the file is instead: its layer, size, mode and owner'],
  ],
  remarks: 'Symlinks are followed inside the image, as in a container. Layers are searched from the top, and those below the one that has the file are not opened. Each layer that is searched is verified before a byte is printed.',
  async run([word = '', path = ''], options, context) {
    const place = placeOf(word);
    await withSource(context, place, async (source) => {
      const looking = await lookAt(context, source, place, options.platform);
      const file = await readFile({ ...looking.request, path, verify: options['no-verify'] !== true });
      try {
        if (context.json) {
          const { size, mode, uid, gid, mtime, layer } = file;
          await print(context, { json: { ...lookedAtJson(looking), path: `/${textOfPath(file.path)}`, size, mode, uid, gid, mtime, layer: layerJson(looking.image, layer) }, text: '' });
        } else await writeAll(context, file.read());
      } finally {
        await file.close();
      }
    });
  },
});

async function writeAll({ io }: Context, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const sink = io.stdout.sink();
  try {
    for await (const run of bytes) await sink.write(run);
    await sink.commit();
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
}
