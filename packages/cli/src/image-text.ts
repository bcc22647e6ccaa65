import { formatPlatform, shortDigest } from '@oci-tar/core';
import type { Annotations, Descriptor, History, ImageConfig, Manifest } from '@oci-tar/core';
import type { Context } from './context.ts';
import { purposeOf } from './image-details.ts';
import type { ImageDetails, ManifestDetails } from './image-details.ts';
import { familiar, imageJson } from './outcome.ts';
import { counted, formatSize, shown, table } from './style.ts';

/** An image for people. */
export function imageText({ image, annotations, manifests, absent }: ImageDetails, { style }: Context): string {
  const { name, descriptor } = image;
  const head = table([
    ['Name:', name === undefined ? '<none>' : familiar(name)],
    ['Digest:', descriptor.digest],
    ['Media type:', descriptor.mediaType],
    ...annotationRows('Annotations:', annotations),
    ...(absent.length === 0 ? [] : [['Not here:', absent.map(nameOf).join(', ')]]),
  ]);
  const parts = manifests.map((manifest) => `\n${style('bold', shown(purposeOf(manifest)))}  ${manifest.descriptor.digest}\n${manifestText(manifest)}`);
  return shown(head) + parts.join('');
}

function manifestText({ manifest, config }: ManifestDetails): string {
  const diffIDs = config?.rootfs.diff_ids ?? [];
  const layers = table(
    manifest.layers.map((layer, position) => ['', layer.digest, formatSize(layer.size), shortType(layer.mediaType), diffIDs[position] === undefined ? '' : `diffID ${shortDigest(diffIDs[position])}`]),
  );
  const size = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size);
  const rows = table([
    ...(config === undefined ? [] : configRows(config)),
    ...annotationRows('Annotations:', manifest.annotations),
    ['Layers:', `${manifest.layers.length}, ${formatSize(size)} with the config`],
  ]);
  return shown(indented(rows) + indented(layers) + historyText(manifest, config));
}

/** The steps that made the image, each with the size of its layer as it is stored. */
function historyText({ layers }: Manifest, config: ImageConfig | undefined): string {
  const steps = stepsOf(config);
  if (steps.length === 0) return '';
  const rows = steps.map(({ created = '', created_by: by = '', comment = '', layer }) => [
    '',
    created,
    layer === undefined ? '-' : formatSize(layers[layer]?.size ?? 0),
    [by, comment].filter((text) => text !== '').join('  # ').replace(/\s+/g, ' '),
  ]);
  return indented(table([['History:', counted(steps.length, 'step')]])) + indented(table(rows));
}

interface Step extends History {
  /** Position of the layer that it made; absent where it made none. */
  readonly layer?: number;
}

function stepsOf(config: ImageConfig | undefined): readonly Step[] {
  let next = 0;
  return (config?.history ?? []).map((step) => (step.empty_layer === true ? step : { ...step, layer: next++ }));
}

function configRows({ created, author, config = {} }: ImageConfig): readonly (readonly string[])[] {
  const rows: (readonly [string, string | undefined])[] = [
    ['Created:', created],
    ['Author:', author],
    ['Entrypoint:', jsonOf(config.Entrypoint)],
    ['Cmd:', jsonOf(config.Cmd)],
    ['Workdir:', config.WorkingDir],
    ['User:', config.User],
    ['Ports:', keysOf(config.ExposedPorts)],
    ['Volumes:', keysOf(config.Volumes)],
    ['Stop signal:', config.StopSignal],
  ];
  return [
    ...rows.flatMap(([title, text]) => (text === undefined || text === '' ? [] : [[title, text]])),
    ...(config.Env ?? []).map((text, position) => [position === 0 ? 'Env:' : '', text]),
    ...annotationRows('Labels:', config.Labels),
  ];
}

function annotationRows(title: string, annotations: Annotations | undefined): readonly (readonly string[])[] {
  return Object.entries(annotations ?? {}).map(([key, value], position) => [position === 0 ? title : '', `${key}=${value}`]);
}

function jsonOf(words: readonly string[] | undefined): string | undefined {
  return words === undefined || words.length === 0 ? undefined : JSON.stringify(words);
}

function keysOf(set: Readonly<Record<string, unknown>> | undefined): string {
  return Object.keys(set ?? {}).join(', ');
}

/** What differs between layers: `tar+gzip`. */
function shortType(mediaType: string): string {
  return /\b(?:layer\.v1\.|diff\.)(.*)$/.exec(mediaType)?.[1] ?? mediaType;
}

function nameOf({ platform, digest }: Descriptor): string {
  return platform === undefined ? digest : formatPlatform(platform);
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

/** An image for programs: what the documents say, one object a manifest. */
export function imageDetailsJson({ image, annotations, manifests, absent }: ImageDetails): object {
  return {
    ...imageJson(image),
    ...(annotations === undefined ? {} : { annotations }),
    manifests: manifests.map(({ descriptor, manifest, config, platform }) => ({
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      size: descriptor.size,
      ...(platform === undefined ? {} : { platform: formatPlatform(platform) }),
      ...(manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType }),
      ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
      ...(manifest.subject === undefined ? {} : { subject: manifest.subject.digest }),
      config: { digest: manifest.config.digest, mediaType: manifest.config.mediaType, size: manifest.config.size, ...(config === undefined ? {} : { content: config }) },
      totalSize: manifest.layers.reduce((sum, layer) => sum + layer.size, descriptor.size + manifest.config.size),
      layers: manifest.layers.map(({ digest, mediaType, size }, position) => ({
        digest,
        mediaType,
        size,
        ...(config?.rootfs.diff_ids[position] === undefined ? {} : { diffID: config.rootfs.diff_ids[position] }),
      })),
    })),
    absent: absent.map(({ digest, platform }) => ({ digest, ...(platform === undefined ? {} : { platform: formatPlatform(platform) }) })),
  };
}
