/**
 * An entry's name or a path asked for in the one form that readers of TOCs compare: rooted, without `.`, `..`, empty parts and a slash
 * at either end; the root is ''. `./a`, `/a`, `../a` and `a/b/..` are all `a` (stargz-snapshotter, docs/estargz.md).
 */
export function cleanName(name: string): string {
  // Most names are clean, or have a slash at the end.
  const bare = name.endsWith('/') ? name.slice(0, -1) : name;
  if (!unclean.test(bare)) return bare;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const unclean = /(?:^|\/)(?:\.{0,2})(?:\/|$)/;
