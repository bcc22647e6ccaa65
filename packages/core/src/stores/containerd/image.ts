import type { NamedImage } from '../../image/store.ts';
import { annotationKeys, distributionSourcePrefix } from '../../spec/annotation.ts';
import type { Annotations } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { CallOptions, Connection } from './connection.ts';
import { blobInfo } from './content.ts';
import { engineError, grpcStatus, hasStatus } from './failure.ts';
import { imageAnswer, imagesAnswer, namespacesAnswer, nothing } from './messages.ts';
import type { ImageRecord } from './messages.ts';
import { sourceAnnotations } from './labels.ts';

/** All images of the namespace, as containerd lists them. */
export async function listImages(connection: Connection, options: CallOptions = {}): Promise<readonly ImageRecord[]> {
  try {
    return (await connection.call('Images/List', {}, imagesAnswer, options)).images;
  } catch (error) {
    throw engineError(error, 'list its images', connection.address, options.signal);
  }
}

/** The image of exactly this name. */
export async function getImage(connection: Connection, name: string, options: CallOptions = {}): Promise<ImageRecord | undefined> {
  try {
    return (await connection.call('Images/Get', { name }, imageAnswer, options)).image;
  } catch (error) {
    // What cannot be a name of containerd's is the name of no image.
    if (hasStatus(error, grpcStatus.notFound) || hasStatus(error, grpcStatus.invalidArgument)) return undefined;
    throw engineError(error, `tell of ${name}`, connection.address, options.signal);
  }
}

/** Gives an image its name, whatever had it before. Labels are added to those that the name has. */
export async function putImage(connection: Connection, name: string, target: Descriptor, labels: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<void> {
  const { mediaType, digest, size } = target;
  const image = { name, labels, target: { mediaType, digest, size, annotations: ownAnnotations(target.annotations) } };
  const paths = ['target', ...Object.keys(labels).map((key) => `labels.${key}`)];
  try {
    await connection.call('Images/Update', { image, updateMask: { paths } }, imageAnswer, options).catch(async (error: unknown) => {
      if (!hasStatus(error, grpcStatus.notFound)) throw error;
      await connection.call('Images/Create', { image }, imageAnswer, options).catch((error: unknown) => {
        if (!hasStatus(error, grpcStatus.alreadyExists)) throw error;
        // Another one was quicker: theirs is older now.
        return connection.call('Images/Update', { image, updateMask: { paths } }, imageAnswer, options);
      });
    });
  } catch (error) {
    throw engineError(error, `name an image ${name}`, connection.address, options.signal);
  }
}

export async function deleteImage(connection: Connection, name: string, options: CallOptions = {}): Promise<void> {
  try {
    await connection.call('Images/Delete', { name }, nothing, options);
  } catch (error) {
    throw engineError(error, `remove ${name}`, connection.address, options.signal);
  }
}

/** An image with what its content's labels say of where it comes from. */
export async function namedImage(connection: Connection, { name, target }: ImageRecord, options: CallOptions = {}): Promise<NamedImage> {
  const { mediaType, digest, size } = target;
  const info = await blobInfo(connection, digest, options);
  const annotations: Annotations = { ...ownAnnotations(target.annotations), ...sourceAnnotations(info?.labels ?? {}) };
  return { name, descriptor: { mediaType, digest, size, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) } };
}

/** An image as an entry of a layout's index, so that names are found here as they are there. */
export function entryOf({ name, target: { mediaType, digest, size, annotations } }: ImageRecord): Descriptor {
  return { mediaType, digest, size, annotations: { ...ownAnnotations(annotations), [annotationKeys.imageName]: name } };
}

/** Without the names, which are the image's own, and without the sources, which are labels of its content. */
function ownAnnotations(annotations: Annotations = {}): Annotations {
  const names: ReadonlySet<string> = new Set([annotationKeys.refName, annotationKeys.imageName, annotationKeys.referrerName]);
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !names.has(key) && !key.startsWith(distributionSourcePrefix)));
}

export async function namespaces(connection: Connection, options: CallOptions = {}): Promise<readonly string[]> {
  try {
    return (await connection.call('Namespaces/List', {}, namespacesAnswer, options)).namespaces.map(({ name }) => name);
  } catch (error) {
    throw engineError(error, 'list its namespaces', connection.address, options.signal);
  }
}

export async function createNamespace(connection: Connection, name: string, options: CallOptions = {}): Promise<void> {
  try {
    await connection.call('Namespaces/Create', { namespace: { name } }, nothing, options);
  } catch (error) {
    if (!hasStatus(error, grpcStatus.alreadyExists)) throw engineError(error, `make the namespace ${name}`, connection.address, options.signal);
  }
}
