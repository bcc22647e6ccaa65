/** One way to authenticate that a server offers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** By names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Longer headers are nobody's. */
const longest = 8192;

/** The challenges in `WWW-Authenticate` headers; what cannot be read is passed over. */
export function challengesIn(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => [...parse(header.slice(0, longest))]);
}

function* parse(header: string): Generator<Challenge> {
  let current: { scheme: string; parameters: Record<string, string> } | undefined;
  // A scheme, or a parameter with a token or a quoted string as its value; commas stand between both kinds.
  const pattern = /\s*,?\s*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([\w!#$%&'*+.^`|~-]+)(?=\s|,|$))/gy;
  for (let match = pattern.exec(header); match !== null && match[0] !== ''; match = pattern.exec(header)) {
    const [, name, quoted, token, scheme] = match;
    if (scheme !== undefined) {
      if (current !== undefined) yield current;
      current = { scheme: scheme.toLowerCase(), parameters: {} };
    } else if (current !== undefined && name !== undefined) {
      const value = quoted === undefined ? (token ?? '') : quoted.replace(/\\(.)/g, '$1');
      // The first one counts: a second must not change what was read.
      if (!Object.hasOwn(current.parameters, name.toLowerCase())) current.parameters[name.toLowerCase()] = value;
    }
  }
  if (current !== undefined) yield current;
}
