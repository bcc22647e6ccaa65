import { findEntry } from './entry.ts';
import type { SeekableEntry } from './entry.ts';
import { invalidToc } from './failures.ts';

type MutableEntry = { -readonly [Key in keyof SeekableEntry]: SeekableEntry[Key] };

/**
 * Points every hardlink at what it leads to, over any number of links, and counts the names of each file.
 * INVALID_TOC where a link leads to nothing, to a directory or round in a circle.
 */
export function resolveHardlinks(root: SeekableEntry, hardlinks: readonly SeekableEntry[]): void {
  const resolved = new Set<SeekableEntry>();
  for (const link of hardlinks) {
    // Each link is followed once: a chain of 100,000 takes as many steps, not their square.
    const chain: MutableEntry[] = [];
    const inChain = new Set<SeekableEntry>();
    let at: SeekableEntry = link;
    while (at.type === 'hardlink' && !resolved.has(at)) {
      if (inChain.has(at)) throw invalidToc(`is a hardlink that leads back to itself`, at.path);
      inChain.add(at);
      chain.push(at);
      at = targetOf(root, at);
    }
    const { target } = at;
    for (const passed of chain) passed.target = target;
    for (const passed of inChain) resolved.add(passed);
  }
  for (const { target } of hardlinks) addName(target);
}

function targetOf(root: SeekableEntry, link: SeekableEntry): SeekableEntry {
  const name = link.toc?.linkName ?? '';
  const target = findEntry(root, name);
  if (target === undefined) throw invalidToc(`is a hardlink to ${JSON.stringify(name)}, which is not in the layer`, link.path);
  if (target.type === 'dir') throw invalidToc(`is a hardlink to the directory ${JSON.stringify(name)}`, link.path);
  return target;
}

function addName(file: MutableEntry): void {
  file.numLink += 1;
}
