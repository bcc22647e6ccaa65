import { diffImages, formatPlatform, textOfPath } from '@oci-tar/core';
import type { FileChange, ImageDiff, OpenedImage, TreeNode } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { ReadingProgress, lookAt, lookOptions, lookedAtJson } from '../looking.ts';
import type { Looking } from '../looking.ts';
import { flagOption } from '../options.ts';
import { imageWord, placeOf, withSource } from '../places.ts';
import { counted, formatSize, table } from '../style.ts';
import { linkText, modeText, pathJson, pathText, timeText } from '../tree-text.ts';

export const command = defineCommand({
  spec: '<a> <b>',
  words: { a: imageWord, b: 'The one to compare it with, spelled in the same ways' },
  options: {
    ...lookOptions,
    mtime: flagOption('Another time of change counts as a change'),
    'exit-code': flagOption('Exit status 1 where files differ, 0 where none do'),
  },
  examples: [
    ['oci-tar diff hello:1 hello:2', 'which files were added, removed and changed'],
    ['oci-tar diff oci-archive:old.tar oci-archive:new.tar --exit-code', 'for a script that has to know'],
  ],
  remarks: 'Compares what containers would see: types, bytes, link targets, modes, owners and extended attributes. Layers that both have are read once, or not at all. Without --exit-code the exit status is 0 whatever differs.',
  async run([first = '', second = ''], options, context) {
    const [before, after] = [placeOf(first), placeOf(second)];
    const differ = await withSource(context, before, (one) =>
      withSource(context, after, async (other) => {
        const reading = new ReadingProgress(context);
        const a = await lookAt(context, one, before, options.platform, reading);
        const b = await lookAt(context, other, after, options.platform, reading);
        reading.begin('comparing', bytesToCompare(a.image, b.image));
        const diff = await diffImages({ before: a.request, after: b.request, mtime: options.mtime === true, signal: context.signal });
        await print(context, { json: diffJson(a, b, diff), text: diffText(diff), names: diff.changes.map(({ path }) => pathText(path)) });
        return diff.changes.length > 0;
      }),
    );
    return options['exit-code'] === true && differ ? 1 : 0;
  },
});

/** Those of the lowest layers that both have are read once, and not at all where there are no others. */
function bytesToCompare(a: OpenedImage, b: OpenedImage): number {
  const differs = a.layers.findIndex((layer, position) => layer.diffID !== b.layers[position]?.diffID);
  const shared = differs < 0 ? a.layers.length : differs;
  if (shared === a.layers.length && shared === b.layers.length) return 0;
  return [...a.layers, ...b.layers.slice(shared)].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function diffJson(a: Looking, b: Looking, { shared, changes }: ImageDiff): object {
  return { before: lookedAtJson(a), after: lookedAtJson(b), sharedLayers: shared, changes: changes.map(changeJson) };
}

function changeJson(change: FileChange): object {
  return {
    ...pathJson(change.path),
    kind: change.kind,
    ...(change.kind === 'changed' ? { parts: change.parts } : {}),
    ...(change.kind === 'added' ? {} : { before: sideJson(change.before) }),
    ...(change.kind === 'removed' ? {} : { after: sideJson(change.after) }),
  };
}

function sideJson({ type, size, mode, uid, gid, mtime, linkname, layer }: TreeNode): object {
  const target = type === 'symlink' ? { target: textOfPath(linkname) } : {};
  return { type, size, mode, uid, gid, mtime, ...target, ...(layer === undefined ? {} : { layer: layer + 1 }) };
}

const signs = { added: '+', removed: '-', changed: '~' } as const;

function diffText({ before, after, shared, changes }: ImageDiff): string {
  const rows = changes.map((change) => [`${signs[change.kind]} ${pathText(change.path)}`, detailText(change)]);
  const count = (kind: FileChange['kind']) => changes.filter((change) => change.kind === kind).length;
  const sizes = changes.map((change) => (change.kind === 'removed' ? 0 : change.after.size) - (change.kind === 'added' ? 0 : change.before.size));
  const sum = sizes.reduce((all, size) => all + size, 0);
  const platforms = [before, after].map(({ platform }) => formatPlatform(platform));
  const across = platforms[0] === platforms[1] ? '' : `; ${platforms.join(' and ')}`;
  const both = `${counted(shared, 'layer')} in both${across}`;
  if (changes.length === 0) return `no file differs (${both})\n`;
  return `${table(rows)}${count('added')} added, ${count('removed')} removed, ${count('changed')} changed, ${sum < 0 ? '-' : '+'}${formatSize(Math.abs(sum))} (${both})\n`;
}

function detailText(change: FileChange): string {
  if (change.kind !== 'changed') return wholeText(change.kind === 'added' ? change.after : change.before);
  const { before, after, parts } = change;
  return parts
    .map((part) => {
      if (part === 'type') return `${before.type} -> ${after.type}`;
      if (part === 'content') return before.size === after.size ? `content, ${formatSize(after.size)}` : `content, ${formatSize(before.size)} -> ${formatSize(after.size)}`;
      if (part === 'target') return `target${linkText(before).replace(' ->', '')}${linkText(after)}`;
      if (part === 'device') return `device ${before.devmajor},${before.devminor} -> ${after.devmajor},${after.devminor}`;
      if (part === 'mode') return `${modeText(before)} -> ${modeText(after)}`;
      if (part === 'owner') return `${before.uid}:${before.gid} -> ${after.uid}:${after.gid}`;
      return part === 'mtime' ? `${timeText(before.mtime)} -> ${timeText(after.mtime)}` : 'extended attributes';
    })
    .join(', ');
}

function wholeText(node: TreeNode): string {
  if (node.type === 'file') return formatSize(node.size);
  return `${node.type}${node.type === 'symlink' ? linkText(node) : ''}`;
}
