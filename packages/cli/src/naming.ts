import type { ImportNaming, ImportReport } from '@oci-tar/core';
import type { Options } from 'yargs';
import { note } from './context.ts';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';
import { flagOption, textOption } from './options.ts';
import { displayName } from './outcome.ts';

/** How the images of an archive are named, in the words of `ctr images import`. */
export const namingOptions = {
  'base-name': textOption('Completes names that are only a tag, and leaves out images that do not begin with it'),
  digests: flagOption('Gives every image a name by its digest too: BASE@sha256:...'),
  'skip-digest-for-named': flagOption('With --digests: only those that have no name'),
  'index-name': textOption("Keeps the archive's own index as an image of this name"),
} as const satisfies Readonly<Record<string, Options>>;

interface NamingValues {
  readonly 'base-name': string | undefined;
  readonly digests: boolean | undefined;
  readonly 'skip-digest-for-named': boolean | undefined;
  readonly 'index-name': string | undefined;
}

/** The library's options for what was given, ready to be spread. */
export function namingOf(given: NamingValues, name: string | undefined): ImportNaming {
  const { 'base-name': baseName, digests, 'skip-digest-for-named': skipDigestForNamed, 'index-name': indexName } = given;
  if (name !== undefined && baseName !== undefined) throw new UsageError('a new name and --base-name exclude each other');
  if (name !== undefined && digests === true) throw new UsageError('a new name and --digests exclude each other');
  if (skipDigestForNamed === true && digests !== true) throw new UsageError('--skip-digest-for-named leaves out what only --digests gives', 'Add --digests.');
  return {
    ...(name === undefined ? {} : { name }),
    ...(baseName === undefined ? {} : { baseName }),
    ...(digests === undefined ? {} : { digests }),
    ...(skipDigestForNamed === undefined ? {} : { skipDigestForNamed }),
    ...(indexName === undefined ? {} : { indexName }),
  };
}

type Skipped = ImportReport['skipped'];

/** More than this is summed up. */
const mostNamed = 8;

/** Says what an archive lists and does not become an image. Of referrers there is a note of their own. */
export function noteSkipped(context: Context, skipped: Skipped): void {
  const listed = (why: Skipped[number]['why']) => {
    const names = skipped.filter((image) => image.why === why).map(displayName);
    return names.slice(0, mostNamed).join(', ') + (names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '');
  };
  const nameless = listed('nameless');
  const others = listed('other-base');
  if (nameless !== '') note(context, `left out, since nothing names it: ${nameless} (--digests names all by digest)`);
  if (others !== '') note(context, `left out, since the name is another one: ${others}`);
}

export function skippedJson(skipped: Skipped): object {
  return skipped.length === 0 ? {} : { skipped: skipped.map(({ name, descriptor: { digest }, why }) => ({ ...(name === undefined ? {} : { name }), digest, why })) };
}
