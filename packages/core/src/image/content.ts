import type { ByteStream } from '../bytes/types.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Content, ContentRole } from './plan.ts';
import { openBlob } from './read.ts';
import type { ImageStore } from './store.ts';

/** A blob of a plan, read from the first of the places that it comes from. */
export class SourceContent implements Content {
  readonly origins: readonly ImageStore[];
  readonly descriptor: Descriptor;
  readonly role: ContentRole;
  readonly height: number;

  constructor(origins: readonly ImageStore[], descriptor: Descriptor, role: ContentRole, height: number) {
    this.origins = origins;
    this.descriptor = descriptor;
    this.role = role;
    this.height = height;
  }

  async *read(): ByteStream {
    const [source] = this.origins;
    if (source === undefined) return;
    const bytes = await openBlob(source, this.descriptor);
    yield* bytes.read();
  }
}
