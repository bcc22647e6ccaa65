import type { ContainerdOptions, PlatformChoice } from '@oci-tar/core';
import type { Options } from 'yargs';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';
import { flagOption, hostPlatform, textOption, textsOption } from './options.ts';
import { pairs } from './values.ts';

/** What only a store of containerd's can do, in the words of `ctr images import`. */
export const unpackingOptions = {
  unpack: { ...flagOption('With --store containerd: also makes the root filesystems that containers start from'), conflicts: 'no-unpack' },
  'no-unpack': flagOption('Makes none, whatever --snapshotter says; so it is by default, but not in ctr'),
  snapshotter: textOption('With --unpack, which it implies: where containerd keeps them; CONTAINERD_SNAPSHOTTER by default, else overlayfs'),
  label: textsOption('With --store containerd: a label for the images, KEY=VALUE (repeatable)'),
} as const satisfies Readonly<Record<string, Options>>;

interface UnpackingValues {
  readonly unpack: boolean | undefined;
  readonly 'no-unpack': boolean | undefined;
  readonly snapshotter: string | undefined;
  readonly label: readonly string[] | undefined;
}

/** The library's options for what was given; an error where the store is not containerd. */
export function unpackingOf(given: UnpackingValues, platforms: PlatformChoice, { store, io }: Context): ContainerdOptions {
  const { unpack, snapshotter = nonEmpty(io.env['CONTAINERD_SNAPSHOTTER']), label = [] } = given;
  const unneeded = ([['--unpack', unpack], ['--snapshotter', given.snapshotter], ['--label', given.label]] as const).find(([, value]) => value !== undefined && value !== false);
  if (unneeded !== undefined && !store.startsWith('containerd:')) throw new UsageError(`${unneeded[0]} is for containerd alone`, 'Add --store containerd: to import into it.');
  const asked = given['no-unpack'] !== true && (unpack ?? given.snapshotter !== undefined);
  const chosen = Array.isArray(platforms) ? platforms : [hostPlatform()];
  return {
    env: io.env,
    labels: pairs(label, '--label'),
    ...(asked ? { unpack: { platforms: chosen, ...(snapshotter === undefined ? {} : { snapshotter }) } } : {}),
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
