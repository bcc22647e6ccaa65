import type { ModelEntry, ModelLayer } from './layer-model.ts';

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const names = ['a', 'b', 'c'];
const types = ['file', 'file', 'file', 'directory', 'directory', 'directory', 'symlink', 'fifo', 'hardlink', 'hardlink', 'hardlink'] as const;

/**
 * A small image over few paths, so that layers get in each other's way; from the base up. With `tidy` no layer says two things of one
 * path and links mostly have a target, so that more of it is seen.
 */
export function randomImage(seed: number): ModelLayer[] {
  const random = randomOf(seed);
  const tidy = random(4) > 0;
  let uid = 0;
  /** What a link may point to: paths that some layer has had a file at. */
  const files: string[] = [];
  return Array.from({ length: 1 + random(4) }, () => {
    const said = new Set<string>();
    const layer: ModelEntry[] = [];
    for (let count = random(7); count > 0; count--) {
      uid += 1;
      const path = Array.from({ length: 1 + random(3) }, () => names[random(names.length)] ?? 'a');
      const kind = random(20);
      if (kind < 3) path[path.length - 1] = `.wh.${path.at(-1) ?? ''}`;
      if (kind === 3 || kind === 4) path[path.length - 1] = '.wh..wh..opq';
      if (kind === 5) path.splice(0, path.length, '.wh..wh.plnk', `${random(3)}`);
      if (kind === 6) path[path.length - 1] = '.wh..wh..opqx';
      const isMarker = kind <= 6;
      const type = kind === 7 && random(3) === 0 ? 'directory' : isMarker ? 'file' : (types[random(types.length)] ?? 'file');
      const plain = kind === 7 && type === 'directory' ? '' : path.join('/');
      if (tidy && !isMarker && contradictory(said, plain, type)) continue;
      if (tidy && isMarker && [...said].some((one) => one.startsWith('f ') && `${plain}/`.startsWith(`${one.slice(2)}/`))) continue;
      if (tidy) for (let end = plain.indexOf('/'); end > 0; end = plain.indexOf('/', end + 1)) said.add(`i ${plain.slice(0, end)}`);
      if (tidy && !isMarker) said.add(`${type === 'directory' ? 'd' : 'f'} ${plain}`);
      layer.push({ name: spelled(plain, type, random), type, uid, ...(type === 'hardlink' ? { linkname: targetOf(files, tidy, random) } : {}) });
      if (type !== 'directory' && (!isMarker || kind === 5)) files.push(plain);
    }
    return layer;
  });
}

function contradictory(said: ReadonlySet<string>, path: string, type: string): boolean {
  if (said.has(`d ${path}`) || said.has(`f ${path}`)) return true;
  if (type !== 'directory' && said.has(`i ${path}`)) return true;
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) if (said.has(`f ${path.slice(0, end)}`)) return true;
  return false;
}

function targetOf(files: readonly string[], tidy: boolean, random: (below: number) => number): string {
  const known = files[random(Math.max(1, files.length))];
  const path = known !== undefined && (tidy || random(2) === 0) ? known : `${names[random(3)] ?? ''}/${names[random(3)] ?? ''}`;
  return spelled(path, 'hardlink', random);
}

/** One of the ways in which tools write a name. */
function spelled(path: string, type: string, random: (below: number) => number): string {
  const slash = type === 'directory' && random(4) > 0 ? '/' : '';
  const prefix = ['', '', '', './', '/', './/'][random(6)] ?? '';
  const written = `${prefix}${random(8) === 0 ? path.replace('/', '/./') : path}${path === '' && prefix !== '' ? '' : slash}`;
  return written === '' ? './' : written;
}
