/** Headers made by hand, independent of the code under test, so that they can also be wrong. */
export interface RawHeader {
  name?: string | Uint8Array;
  prefix?: string;
  typeflag?: string;
  /** A number is written as octal digits; bytes go in as they are, filled with NULs. */
  size?: number | Uint8Array;
  mode?: number | Uint8Array;
  uid?: number | Uint8Array;
  gid?: number | Uint8Array;
  mtime?: number | Uint8Array;
  linkname?: string;
  uname?: string;
  gname?: string;
  devmajor?: number | Uint8Array;
  devminor?: number | Uint8Array;
  format?: 'v7' | 'ustar' | 'gnu' | 'star';
  checksum?: 'unsigned' | 'signed' | 'wrong';
  /** Bytes put in before the checksum is taken. */
  patch?: [at: number, bytes: Uint8Array][];
}

export function rawHeader(fields: RawHeader): Uint8Array {
  const block = Buffer.alloc(512);
  const text = (value: string | Uint8Array | undefined, at: number, length: number): void => {
    if (value !== undefined) block.set(Buffer.from(value).subarray(0, length), at);
  };
  const number = (value: number | Uint8Array | undefined, at: number, length: number): void => {
    if (value instanceof Uint8Array) block.set(value.subarray(0, length), at);
    else block.write((value ?? 0).toString(8).padStart(length - 1, '0'), at, 'latin1');
  };
  const format = fields.format ?? 'ustar';
  text(fields.name ?? 'file', 0, 100);
  number(fields.mode ?? 0o644, 100, 8);
  number(fields.uid, 108, 8);
  number(fields.gid, 116, 8);
  number(fields.size, 124, 12);
  number(fields.mtime, 136, 12);
  block.write(fields.typeflag ?? '0', 156, 'latin1');
  text(fields.linkname, 157, 100);
  if (format !== 'v7') {
    block.write(format === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257, 'latin1');
    text(fields.uname, 265, 32);
    text(fields.gname, 297, 32);
    number(fields.devmajor, 329, 8);
    number(fields.devminor, 337, 8);
    text(fields.prefix, 345, format === 'star' ? 131 : 155);
    if (format === 'star') block.write('tar\0', 508, 'latin1');
  }
  for (const [at, bytes] of fields.patch ?? []) block.set(bytes, at);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += fields.checksum === 'signed' && byte > 127 ? byte - 256 : byte;
  if (fields.checksum === 'wrong') sum++;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return new Uint8Array(block);
}

/** A header with its body and the padding after it. */
export function rawEntry(fields: RawHeader, body: string | Uint8Array = ''): Uint8Array {
  const bytes = Buffer.from(body);
  return join(rawHeader({ size: bytes.length, ...fields }), bytes, new Uint8Array((512 - (bytes.length % 512)) % 512));
}

/** PAX records with lengths that are right; values may be bytes. */
export function rawPax(records: Record<string, string | Uint8Array>): Uint8Array {
  return join(
    ...Object.entries(records).map(([keyword, value]) => {
      const rest = join(Buffer.from(` ${keyword}=`), Buffer.from(value), Buffer.from('\n'));
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length++;
      return join(Buffer.from(String(length)), rest);
    }),
  );
}

export const endMarker = new Uint8Array(1024);

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
