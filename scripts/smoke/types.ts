// Checked against the installed package, without this workspace's settings and without Node's types.
import { OciTarError, isOciTarError } from '@oci-tar/core';
import type { Descriptor, ErrorCode, ImageDriver, ImageStore } from '@oci-tar/core';

export const code: ErrorCode = new OciTarError('NOT_FOUND', 'no such image').code;

export function size(descriptor: Descriptor): number {
  return descriptor.size;
}

export async function names(store: ImageStore): Promise<string[]> {
  const found: string[] = [];
  for await (const image of store.images()) found.push(image.name ?? '');
  return found;
}

export function access(driver: ImageDriver): 'random' | 'append' | 'read' {
  return driver.access;
}

export function hint(error: unknown): string | undefined {
  return isOciTarError(error, 'UNSUPPORTED') ? error.hint : undefined;
}
