import type { TarEntry } from '../tar/entry.ts';
import { noRecords } from '../tar/pax.ts';
import type { LayerPath } from './path.ts';

/** What a header says without its name, its type and its link. */
export type PlainFields = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'uname' | 'gname' | 'mtime' | 'pax' | 'globals'>;

/** The body of an entry, run by run; what is not read is passed over. */
export interface Body {
  /** Undefined at the end. */
  run(): Promise<Uint8Array | undefined>;
}

/** One entry of the merged tree, on its way out. `layer` is the caller's number of the layer, from 0. */
export type Winner =
  | { readonly kind: 'directory'; readonly path: LayerPath; readonly fields: PlainFields; readonly layer: number | undefined }
  | { readonly kind: 'link'; readonly path: LayerPath; readonly target: LayerPath; readonly fields: PlainFields; readonly layer: number }
  /** Hides something of the layers below: `path` is that of the marker, `a/.wh.b` or `a/.wh..wh..opq`. */
  | { readonly kind: 'whiteout'; readonly path: LayerPath; readonly fields: PlainFields; readonly layer: undefined }
  /** Anything else: the entry of a layer, perhaps under another name; `entry` and `header` are good until the next one is asked for. */
  | { readonly kind: 'entry'; readonly path: LayerPath; readonly entry: TarEntry; readonly header: Uint8Array; readonly body: Body; readonly layer: number };

/** A directory that no layer has an entry of (an open question of the image-spec). */
export const impliedFields: PlainFields = { mode: 0o755, uid: 0, gid: 0, uname: '', gname: '', mtime: 0, pax: noRecords, globals: noRecords };

/** A whiteout says all it says by its name. */
export const whiteoutFields: PlainFields = { ...impliedFields, mode: 0o644 };
