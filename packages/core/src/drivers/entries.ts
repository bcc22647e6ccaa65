import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { ArchiveEntries } from '../layout/archive-entries.ts';
import type { ImageDriver } from '../layout/driver.ts';
import { layoutPathParts } from './path.ts';

export interface EntriesDriverOptions<T> {
  /** For messages. */
  readonly name: string;
  readonly source: (file: T) => ByteSource;
  /** Called once by `close`. */
  readonly onClose?: () => Promise<void>;
}

/** Reads an image layout out of the entries of an archive, wherever their bytes are. */
export function entriesDriver<T extends { readonly size: number }>(entries: ArchiveEntries<T>, options: EntriesDriverOptions<T>): ImageDriver {
  const { name, source, onClose } = options;
  const readOnly = async () => {
    throw new OciTarError('READ_ONLY', `${name} is opened for reading`, { subject: name });
  };
  let closing: Promise<void> | undefined;
  return {
    name,
    access: 'read',
    init: readOnly,
    async *list(prefix = '') {
      for (const [path, { size }] of entries.files()) if (path.startsWith(prefix)) yield { path, size };
    },
    async reader(path) {
      layoutPathParts(path);
      return source(entries.find(path));
    },
    writer: readOnly,
    blobWriter: readOnly,
    remove: async () => {
      throw new OciTarError('UNSUPPORTED', `nothing can be removed from ${name}: a tar archive does not change`, { subject: name });
    },
    exclusive: (work) => work(),
    close: () => (closing ??= onClose?.() ?? Promise.resolve()),
    abort: () => (closing ??= onClose?.() ?? Promise.resolve()),
  };
}
