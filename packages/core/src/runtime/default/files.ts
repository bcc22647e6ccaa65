import type { ByteSource } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

export async function openFile(path: string): Promise<FileSource> {
  throw noFiles(path);
}

export async function fileSource(path: string): Promise<ByteSource> {
  throw noFiles(path);
}

export async function pathKind(path: string): Promise<'file' | 'directory' | 'other'> {
  throw noFiles(path);
}

function noFiles(path: string): OciTarError {
  return new OciTarError('UNSUPPORTED', `cannot open ${path}: there is no file system here`, { subject: path });
}
