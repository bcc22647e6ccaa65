/** The path that an archive's entry has in the layout: without `./` in front. A name is only ever compared, never used as a path of a file system. */
export function entryPath(name: string): string {
  let path = name;
  while (path.startsWith('./')) path = path.slice(2);
  return path;
}
