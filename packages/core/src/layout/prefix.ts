/** Files by which a kind of image archive is told, the better one first. */
const markers: readonly (readonly string[])[] = [['oci-layout'], ['manifest.json', 'repositories']];

/** macOS puts such files beside the real ones into its archives. */
const appleDouble = /(?:^|\/)\._[^/]*$/;

/** The paths of an archive: a set of them, or a map by them. */
interface Paths {
  has(path: string): boolean;
  keys(): Iterable<string>;
}

/**
 * The folder that an archive's layout lies in, with its slash; empty for the top. It is that of the shortest `oci-layout`, or
 * else `manifest.json` or `repositories`, and counts only where every file lies below it: a root file system that has such
 * a file somewhere is no image archive.
 */
export function layoutPrefix(files: Paths): string {
  if (markers.some((names) => names.some((name) => files.has(name)))) return '';
  const paths = [...files.keys()];
  for (const names of markers) {
    const folders = paths.filter((path) => names.includes(path.slice(path.lastIndexOf('/') + 1))).map((path) => path.slice(0, path.lastIndexOf('/') + 1));
    const [shortest] = folders.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    if (shortest !== undefined && isPlain(shortest) && paths.every((path) => path.startsWith(shortest) || appleDouble.test(path))) return shortest;
  }
  return '';
}

function isPlain(folder: string): boolean {
  return folder.slice(0, -1).split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
