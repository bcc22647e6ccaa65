import { OciTarError } from '../../errors.ts';
import type { History } from '../../spec/config.ts';
import type { Digest } from '../../spec/digest.ts';
import { parseJson, stableJson } from '../../spec/json.ts';
import type { JsonObject, JsonValue } from '../../spec/json.ts';
import type { ImageDriver } from '../driver.ts';
import { hasFile, readDocumentFile, repositoriesPath } from './files.ts';
import type { PartsOptions } from './items.ts';
import type { LayerFiles } from './layers.ts';
import type { ImageParts, LayerPart } from './parts.ts';

/** docker itself stops at 127 layers; the rest is room for empty steps. */
const chainLimit = 1000;

/** What a folder of such an archive may be called; docker has 64 hex digits. */
const idGrammar = /^[\w-][\w.-]{0,127}$/;

/** Fields of a layer's `json` that say where it stands, and nothing of the image (docker's `MakeConfigFromV1Config`). */
const placeFields: ReadonlySet<string> = new Set(['id', 'parent', 'parent_id', 'layer_id', 'Size', 'size', 'throwaway']);

interface Step {
  readonly id: string;
  readonly json: JsonObject;
}

/**
 * The images of an archive without `manifest.json`, as docker wrote it before 1.10: `repositories` gives names to the
 * topmost layers, and each `<id>/json` names its parent. The config is made of the topmost one's `json`, with the layers'
 * diffIDs computed; the same archive gives the same config. Without `repositories` the images have no names.
 */
export async function legacyParts(driver: ImageDriver, layers: LayerFiles, { limits }: PartsOptions): Promise<readonly ImageParts[]> {
  const named = (await hasFile(driver, repositoriesPath)) ? parseRepositories(await readDocumentFile(driver, repositoriesPath, limits), { limits, subject: `${driver.name}: ${repositoriesPath}` }) : undefined;
  const read = async (id: string) => {
    if (!idGrammar.test(id)) throw new OciTarError('UNSAFE_PATH', `${driver.name}: ${JSON.stringify(id.slice(0, 255))} is no layer's id`, { subject: id.slice(0, 255) });
    const subject = `${driver.name}: ${id}/json`;
    const json = parseJson(await readDocumentFile(driver, `${id}/json`, limits), { limits, subject });
    if (isObject(json)) return { id, json };
    throw new OciTarError('INVALID_MANIFEST', `${subject} is not a JSON object`, { subject });
  };
  const tops = named ?? new Map((await topsOf(await legacyIds(driver), read)).map((id) => [id, []]));
  const parts: ImageParts[] = [];
  for (const [id, names] of tops) parts.push(await partsOf(driver, await chainOf(driver, id, read), names, layers));
  return parts;
}

/** The folders that hold a layer of the old kind. */
export async function legacyIds(driver: ImageDriver): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path } of driver.list()) {
    const [id = '', file, ...rest] = path.split('/');
    if (file === 'json' && rest.length === 0 && (await hasFile(driver, `${id}/layer.tar`))) found.push(id);
  }
  return found.sort();
}

/** `{"repository": {"tag": "id"}}` as names by id. INVALID_MANIFEST. */
export function parseRepositories(bytes: Uint8Array, options: PartsOptions & { readonly subject: string }): ReadonlyMap<string, readonly string[]> {
  const value = parseJson(bytes, options);
  const wrong = (what: string) => new OciTarError('INVALID_MANIFEST', `${options.subject}: ${what}`, { subject: options.subject });
  if (!isObject(value)) throw wrong('must be an object');
  const names = new Map<string, string[]>();
  for (const [repository, tags] of Object.entries(value)) {
    if (!isObject(tags)) throw wrong(`${repository} must be an object`);
    for (const [tag, id] of Object.entries(tags)) {
      if (typeof id !== 'string') throw wrong(`${repository}:${tag} must be a string`);
      names.set(id, [...(names.get(id) ?? []), `${repository}:${tag}`]);
    }
  }
  return names;
}

/** Layers that no other one is built on. */
async function topsOf(ids: readonly string[], read: (id: string) => Promise<Step>): Promise<readonly string[]> {
  const parents = new Set<unknown>();
  for (const id of ids) parents.add((await read(id)).json['parent']);
  return ids.filter((id) => !parents.has(id));
}

/** From the base to the top. */
async function chainOf(driver: ImageDriver, top: string, read: (id: string) => Promise<Step>): Promise<readonly Step[]> {
  const chain = new Map<string, Step>();
  for (let id: JsonValue | undefined = top; typeof id === 'string' && id !== ''; id = chain.get(id)?.json['parent']) {
    if (chain.has(id)) throw new OciTarError('INVALID_LAYOUT', `${driver.name}: the layer ${id} is its own ancestor`, { subject: id });
    if (chain.size >= chainLimit) throw new OciTarError('LIMIT_EXCEEDED', `${driver.name}: ${top} has more than ${chainLimit} layers`, { limit: chainLimit, subject: top });
    chain.set(id, await read(id));
  }
  return [...chain.values()].toReversed();
}

async function partsOf(driver: ImageDriver, chain: readonly Step[], names: readonly string[], files: LayerFiles): Promise<ImageParts> {
  const top = chain.at(-1);
  const layers: LayerPart[] = [];
  for (const { id } of chain) layers.push({ path: `${id}/layer.tar`, diffID: await files.diffID(`${id}/layer.tar`) });
  const config = configOf(top?.json ?? {}, layers.map(({ diffID }) => diffID), chain.map(({ json }) => historyOf(json)));
  return { subject: `${driver.name}: ${top?.id ?? ''}/json`, names, config: stableJson(config), layers };
}

/** docker that wrote such archives ran on linux/amd64 where it does not say otherwise. */
function configOf(json: JsonObject, diffIDs: readonly Digest[], history: readonly History[]): object {
  const own = Object.fromEntries(Object.entries(json).filter(([key]) => !placeFields.has(key)));
  const { architecture, os } = json;
  return {
    ...own,
    architecture: typeof architecture === 'string' && architecture !== '' ? architecture : 'amd64',
    os: typeof os === 'string' && os !== '' ? os : 'linux',
    rootfs: { type: 'layers', diff_ids: diffIDs },
    history,
  };
}

function historyOf({ created, author, comment, container_config: container }: JsonObject): History {
  const command = isObject(container) ? container['Cmd'] : undefined;
  return {
    ...(typeof created === 'string' && { created }),
    ...(isList(command) && { created_by: command.filter((word) => typeof word === 'string').join(' ') }),
    ...(typeof author === 'string' && author !== '' && { author }),
    ...(typeof comment === 'string' && comment !== '' && { comment }),
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
