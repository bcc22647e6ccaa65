import type { JsonObject, JsonValue } from '../spec/json.ts';
import { arrayIn, objectIn, withField } from './json.ts';
import type { EditableImage, ImageEdit } from './rewrite.ts';

/** What to change in an image's config and manifest. What is left out stays. */
export interface ConfigChanges {
  /** Set, or added at the end. */
  readonly env?: Readonly<Record<string, string>>;
  readonly envRemoved?: readonly string[];
  /** An empty list takes it away, as for `cmd`; an empty text, for `user` and `workdir`. */
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly labelsRemoved?: readonly string[];
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly annotationsRemoved?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  /** `80/tcp`. */
  readonly expose?: readonly string[];
  readonly exposeRemoved?: readonly string[];
  readonly author?: string;
  /** RFC 3339. */
  readonly created?: string;
}

/**
 * Makes the changes in the JSON of one image; fields that are not known here stay. A change of the config adds an entry to its
 * history that says so, without a layer. Nothing is returned of what does not change.
 */
export function editConfig({ raw }: EditableImage, changes: ConfigChanges): ImageEdit {
  const changed = withHistory(raw.config, configOf(raw.config, changes), changes);
  const annotations = changedMap(objectIn(raw.manifest, 'annotations'), changes.annotations, changes.annotationsRemoved);
  return {
    ...(changed === undefined ? {} : { config: changed }),
    ...(annotations === undefined ? {} : { manifest: withField(raw.manifest, 'annotations', emptyIsAbsent(annotations)) }),
  };
}

/** The config without its history entry; the very same object where nothing changes. */
function configOf(config: JsonObject, changes: ConfigChanges): JsonObject {
  const run = objectIn(config, 'config');
  let edited = run;
  const set = (field: string, value: JsonValue | undefined) => {
    if (JSON.stringify(value) !== JSON.stringify(edited[field])) edited = withField(edited, field, value);
  };
  const { user, workdir, entrypoint, cmd } = changes;
  if (user !== undefined) set('User', user === '' ? undefined : user);
  const ports = changedMap(objectIn(run, 'ExposedPorts'), Object.fromEntries((changes.expose ?? []).map((port) => [port, {}])), changes.exposeRemoved);
  if (ports !== undefined) set('ExposedPorts', emptyIsAbsent(ports));
  const env = changedEnv(arrayIn(run, 'Env'), changes);
  if (env !== undefined) set('Env', env);
  if (entrypoint !== undefined) set('Entrypoint', entrypoint.length === 0 ? undefined : entrypoint);
  if (cmd !== undefined) set('Cmd', cmd.length === 0 ? undefined : cmd);
  if (workdir !== undefined) set('WorkingDir', workdir === '' ? undefined : workdir);
  const labels = changedMap(objectIn(run, 'Labels'), changes.labels, changes.labelsRemoved);
  if (labels !== undefined) set('Labels', emptyIsAbsent(labels));

  let result = edited === run ? config : withField(config, 'config', edited);
  if (changes.author !== undefined && changes.author !== result['author']) result = withField(result, 'author', changes.author);
  if (changes.created !== undefined && changes.created !== result['created']) result = withField(result, 'created', changes.created);
  return result;
}

/** `undefined` where nothing changed. */
function withHistory(before: JsonObject, after: JsonObject, changes: ConfigChanges): JsonObject | undefined {
  if (after === before) return undefined;
  const history = arrayIn(after, 'history');
  // An image that keeps no history, as some tools make them, must not seem to have had one step only.
  if (history.length === 0) return after;
  const created = after['created'];
  const entry: JsonObject = {
    ...(typeof created === 'string' ? { created } : {}),
    created_by: `oci-tar config ${described(changes)}`,
    ...(changes.author === undefined ? {} : { author: changes.author }),
    empty_layer: true,
  };
  return withField(after, 'history', [...history, entry]);
}

/** What was changed, in the words of a Dockerfile where it has some. */
function described(changes: ConfigChanges): string {
  const pairs = (word: string, values: Readonly<Record<string, string>> = {}) => Object.entries(values).map(([key, value]) => `${word} ${key}=${value}`);
  const removed = (word: string, keys: readonly string[] = []) => keys.map((key) => `without ${word} ${key}`);
  const one = (word: string, value: string | undefined) => (value === undefined ? [] : [value === '' ? `without ${word}` : `${word} ${value}`]);
  const words = (word: string, value: readonly string[] | undefined) => one(word, value === undefined ? undefined : value.length === 0 ? '' : JSON.stringify(value));
  return [
    ...pairs('ENV', changes.env),
    ...removed('ENV', changes.envRemoved),
    ...words('ENTRYPOINT', changes.entrypoint),
    ...words('CMD', changes.cmd),
    ...pairs('LABEL', changes.labels),
    ...removed('LABEL', changes.labelsRemoved),
    ...one('USER', changes.user),
    ...one('WORKDIR', changes.workdir),
    ...(changes.expose ?? []).map((port) => `EXPOSE ${port}`),
    ...removed('EXPOSE', changes.exposeRemoved),
    ...one('author', changes.author),
    ...one('created', changes.created),
  ].join('; ');
}

/** `undefined` where nothing changes. A variable that is there keeps its place. */
function changedEnv(env: readonly JsonValue[], { env: added = {}, envRemoved = [] }: ConfigChanges): readonly JsonValue[] | undefined {
  const left = new Map(Object.entries(added));
  const gone = new Set(envRemoved);
  const kept = env.flatMap((line) => {
    const name = nameOf(line);
    const value = left.get(name);
    if (value !== undefined) {
      left.delete(name);
      // A second line of the same name would go before it.
      gone.add(name);
      return [`${name}=${value}`];
    }
    return gone.has(name) ? [] : [line];
  });
  const result = [...kept, ...[...left].map(([name, value]) => `${name}=${value}`)];
  return JSON.stringify(result) === JSON.stringify(env) ? undefined : result;
}

function nameOf(line: JsonValue): string {
  return typeof line === 'string' ? (line.split('=', 1)[0] ?? '') : '';
}

/** `undefined` where nothing changes. */
function changedMap(map: JsonObject, added: JsonObject = {}, removed: readonly string[] = []): JsonObject | undefined {
  const gone = new Set(removed);
  const result = Object.fromEntries([...Object.entries(map).filter(([key]) => !gone.has(key) || Object.hasOwn(added, key)), ...Object.entries(added)]);
  return JSON.stringify(result) === JSON.stringify(map) ? undefined : result;
}

function emptyIsAbsent(map: JsonObject): JsonObject | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}
