import type { ImageStore } from '../image/store.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { Authenticator } from './auth.ts';

/** A place whose images are served. */
export interface ServedPlace {
  readonly store: ImageStore;
  /** Only this image and what belongs to it; all by default. */
  readonly reference?: string;
  /** The repository of images that have only a tag (`v1`), or no name; `image` by default. */
  readonly baseName?: string;
}

export interface ServeLimits {
  /** The longest manifest, pushed or pulled, in bytes. */
  readonly manifestSize: number;
  /** The largest blob that can be pushed, in bytes. */
  readonly uploadSize: number;
  /** Uploads under way at a time. */
  readonly uploads: number;
  /** An upload that nobody continues is given up after this time, in ms; so is a claim on a blob that no manifest has come for. */
  readonly uploadAge: number;
  /** Answers to list requests have at most so many entries. */
  readonly page: number;
  /** Manifests of one repository that are followed before it is given up. */
  readonly documents: number;
}

export const defaultServeLimits: ServeLimits = {
  manifestSize: defaultLimits.bytes,
  uploadSize: 32 * 2 ** 30,
  uploads: 100,
  uploadAge: 60 * 60 * 1000,
  page: 1000,
  documents: 100_000,
};

export interface ServeOptions {
  /** Of two images with one name the one that is in an earlier place is served. */
  readonly places: readonly ServedPlace[];
  /** Where pushed images go. It is served too, before the others. Nothing can be pushed without it. */
  readonly writable?: ImageStore;
  /** Lets clients delete tags, manifests and blobs that no manifest needs. */
  readonly allowDelete?: boolean;
  /** Who may come in; everybody by default. */
  readonly auth?: Authenticator;
  /** Hands out figures at `/metrics` in Prometheus' text form. */
  readonly metrics?: boolean;
  readonly limits?: Partial<ServeLimits>;
  /** Told in a line what went wrong on this side, such as a blob that is damaged. */
  readonly onLog?: (line: string) => void;
  /** Milliseconds since any moment; the system's by default. */
  readonly now?: () => number;
}
