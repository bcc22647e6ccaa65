import { formatPlatform, unpackImage } from '@oci-tar/core';
import type { LeftOut, UnpackReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import { UsageError } from '../failure.ts';
import { lookAt, lookOptions, lookedAtJson, shownPath } from '../looking.ts';
import { flagOption, textOption } from '../options.ts';
import { imageWord, placeOf, withSource } from '../places.ts';
import { counted, formatSize } from '../style.ts';

export const command = defineCommand({
  spec: '<image> <dir>',
  words: {
    image: imageWord,
    dir: 'The directory to make; it must not be there, or be empty',
  },
  options: {
    ...lookOptions,
    rootless: flagOption('Everything belongs to you, and no devices; by default unless run by root'),
    'last-duplicate': flagOption('Of a path that a layer has twice the last one counts, instead of an error; reads each layer twice'),
    'max-entries': textOption('How many files, directories and links are too many; 2000000 by default'),
    'max-size': textOption('How large all files together, and all layers unpacked, may be, such as 20GB; by default 200 times the stored layers, and 1GiB at least'),
    'max-file-size': textOption('How large one file may be; by default as --max-size'),
  },
  examples: [
    ['oci-tar unpack hello:1 root', 'the root filesystem of an image, as a new directory'],
    ['oci-tar unpack oci-archive:out.tar:hello:1 root', 'the same out of an archive'],
    ['sudo oci-tar unpack hello:1 root --store "$HOME/.local/share/oci-tar"', 'with every owner and device'],
  ],
  remarks: 'Nothing outside of the directory is touched, whatever the layers say. It appears when everything is written and verified: until then it has a temporary name beside its place, and after an error or Ctrl-C nothing is left.',
  async run([word = '', directory = ''], options, context) {
    const writeLimits = {
      ...limitOf('entries', '--max-entries', options['max-entries']),
      ...limitOf('size', '--max-size', options['max-size']),
      ...limitOf('fileSize', '--max-file-size', options['max-file-size']),
    };
    const place = placeOf(word);
    await withSource(context, place, async (source) => {
      const looking = await lookAt(context, source, place, options.platform);
      const report = await unpackImage({
        ...looking.request,
        directory,
        writeLimits,
        ...(options.rootless === undefined ? {} : { rootless: options.rootless }),
        duplicates: options['last-duplicate'] === true ? 'last' : 'error',
        onTotal: (total) => context.progress.start('unpacking', total),
        onBytes: (count) => context.progress.add(count),
      });
      for (const left of report.leftOut) note(context, leftOutText(left));
      if (report.guardedBy === 'checks') note(context, 'this system has no handles for directories: do not let other users write to the place while it is unpacked to');
      const { entries, bytes } = report;
      const text = `unpacked ${looking.name}  ${formatPlatform(looking.image.platform)} to ${shownPath(directory)}: ${counted(entries, 'path')}, ${formatSize(bytes)}\n`;
      await print(context, { json: { ...lookedAtJson(looking), directory, ...figures(report) }, text, names: [directory] });
    });
  },
});

function figures({ entries, files, directories, symlinks, hardlinks, specials, bytes, leftOut, guardedBy }: UnpackReport): object {
  return { entries, files, directories, symlinks, hardlinks, specials, bytes, leftOut, guardedBy };
}

const reasons: Readonly<Record<LeftOut['kind'], (many: string) => string>> = {
  owner: (many) => `${many} with another owner, now yours`,
  mode: (many) => `${many} without the setuid or setgid bit, which you may not set`,
  time: (many) => `${many} with a time that the file system does not have`,
  device: (many) => `left out: ${many} that is a device, which cannot be made here`,
  fifo: (many) => `left out: ${many} that is a fifo, which cannot be made here`,
  xattr: (many) => `left out: extended attributes of ${many}`,
  type: (many) => `left out: ${many} of an unknown kind, or a link to what was left out`,
};

/** More than this is summed up. */
const mostNamed = 5;

function leftOutText({ kind, count, paths }: LeftOut): string {
  const named = paths.slice(0, mostNamed).map(shownPath).join(', ');
  return `${reasons[kind](counted(count, 'path'))}: ${named}${count > Math.min(paths.length, mostNamed) ? ', …' : ''}`;
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

function limitOf<K extends string>(key: K, flag: string, text: string | undefined): Partial<Record<K, number>> {
  if (text === undefined) return {};
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(|[kMGT]|[KMGT]i)B?$/.exec(text) ?? [];
  const value = Math.floor(Number(digits) * (units[unit] ?? Number.NaN));
  if (digits === '' || !Number.isSafeInteger(value)) throw new UsageError(`${flag} ${text} is no size`, 'Write a number of bytes, or one such as 500MB, 20GiB.');
  const limit: Partial<Record<K, number>> = {};
  limit[key] = value;
  return limit;
}
