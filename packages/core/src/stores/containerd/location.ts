/** A namespace's name is an identifier of containerd: letters and digits, with single `.`, `_` or `-` in between, at most 76 bytes. */
const identifier = /^(?=.{1,76}$)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;

export function isNamespaceName(text: string): boolean {
  return identifier.test(text);
}

/** What nobody would take for the beginning of an image's name: where ctr works by default, and Kubernetes. */
export const knownNamespaces: ReadonlySet<string> = new Set(['default', 'k8s.io']);

/**
 * Reads what follows `containerd:`. Nothing is the namespace of CONTAINERD_NAMESPACE, `NAMESPACE/` another one. Before a name a
 * namespace is one where it is `default` or `k8s.io`, or where the name is written with its registry:
 * `ns/docker.io/library/hello:1`. After a leading `/` all of it is the name.
 */
export function containerdLocation(text: string): { readonly path?: string; readonly reference?: string } {
  if (text === '' || text === '/') return {};
  const slash = text.indexOf('/');
  if (slash === 0) return { reference: text.slice(1) };
  const [first, others] = slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)];
  if (!isNamespaceName(first)) return { reference: text };
  if (others === '') return { path: first };
  return knownNamespaces.has(first) || beginsWithHost(others) ? { path: first, reference: others } : { reference: text };
}

/** Whether a name is written with its registry, by docker's rule: with a dot or a port, or `localhost`. */
function beginsWithHost(name: string): boolean {
  const host = name.slice(0, Math.max(name.indexOf('/'), 0));
  return host === 'localhost' || /[.:]/.test(host);
}
