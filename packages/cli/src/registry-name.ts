import { OciTarError, parseReference } from '@oci-tar/core';

/** The registry that a word names: a host, perhaps with its port, however it is spelled. */
export function registryName(word: string | undefined): string {
  if (word === undefined) return 'docker.io';
  const host = word.replace(/^(?:docker|https?):\/\//, '').replace(/\/.*$/, '');
  const { domain } = parseReference(`${host}/x`);
  // Without a dot or a port a first part is a user of docker.io.
  if (domain !== host && host !== 'index.docker.io') throw new OciTarError('INVALID_REFERENCE', `${JSON.stringify(host)} is not the name of a registry`, { subject: word, hint: 'Write a host with a dot or a port, such as registry.example or localhost:5000.' });
  return domain;
}
