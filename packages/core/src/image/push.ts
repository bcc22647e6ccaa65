import { OciTarError } from '../errors.ts';
import { eachOf } from './each.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Content, ContentRole, Plan } from './plan.ts';
import { contentOf } from './make-plan.ts';
import type { ImageStore, WriteSession } from './store.ts';

/** What a copy tells on its way. */
export type CopyEvent =
  | { readonly type: 'plan'; readonly plan: Plan }
  | { readonly type: 'start'; readonly content: Content }
  /** `count` more bytes of the content have passed. */
  | { readonly type: 'bytes'; readonly content: Content; readonly count: number }
  | { readonly type: 'done'; readonly content: Content }
  /** The target has it already. */
  | { readonly type: 'exists'; readonly content: Content };

export interface PushOptions {
  /** How many blobs move at a time where the target can take several; 3 by default, as in dockerd and containerd; out of a registry as many as it has connections. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CopyEvent) => void;
}

/** Moves everything of a plan into a session, children before their parents, then the names; does not end the session. */
export async function pushAll(session: WriteSession, plan: Plan, options: PushOptions = {}): Promise<void> {
  options.onEvent?.({ type: 'plan', plan });
  await session.hold?.([...plan.contents.values()].map(({ descriptor }) => descriptor));
  if (session.sequential) {
    for (const content of archiveOrder(plan.contents)) await pushOne(session, content, options);
  } else {
    for (const wave of waves(plan.contents)) {
      await eachOf(wave, workers(plan, options), (content, signal) => pushOne(session, content, { ...options, signal }), options.signal);
    }
  }
  for (const image of plan.images) await session.name(image.name, contentOf(plan, image.descriptor));
  for (const { name, descriptor } of plan.referrers) await session.name(name, listedAs(descriptor, contentOf(plan, descriptor)));
}

/** Where each blob is a request, others are written out and synced while as many as there may be arrive. */
function workers({ contents }: Plan, { jobs }: PushOptions): number {
  for (const { origins } of contents.values()) {
    const { connections } = origins[0] ?? {};
    return connections === undefined ? (jobs ?? 3) : 2 * Math.min(jobs ?? connections, connections);
  }
  return 1;
}

/** Opens a session on the target, moves the plan into it and ends it; on any failure the session is aborted. */
export async function transfer(plan: Plan, target: ImageStore, options: PushOptions = {}): Promise<void> {
  const session = await beginOn(target, plan, options.signal);
  try {
    await pushAll(session, plan, options);
    await session.end();
  } catch (error) {
    await session.abort(error);
    throw error;
  }
}

/** READ_ONLY when the store takes nothing. */
export async function beginOn(target: ImageStore, plan?: Plan, signal?: AbortSignal): Promise<WriteSession> {
  if (target.begin === undefined) {
    throw new OciTarError('READ_ONLY', `${target.name} cannot be written`, { side: 'target', subject: target.name });
  }
  return target.begin(plan, signal === undefined ? {} : { signal });
}

/** The same content under another descriptor: with the annotations of its entry. */
function listedAs(descriptor: Descriptor, content: Content): Content {
  const { role, height, origins } = content;
  return { descriptor, role, height, origins, read: () => content.read() };
}

async function pushOne(session: WriteSession, content: Content, { signal, onEvent }: PushOptions): Promise<void> {
  signal?.throwIfAborted();
  if (await session.has(content.descriptor)) {
    onEvent?.({ type: 'exists', content });
    return;
  }
  onEvent?.({ type: 'start', content });
  await session.push(content, {
    ...(signal === undefined ? {} : { signal }),
    onBytes: (count) => onEvent?.({ type: 'bytes', content, count }),
  });
  onEvent?.({ type: 'done', content });
}

const archiveRanks: Readonly<Record<ContentRole, number>> = { index: 0, manifest: 1, config: 2, other: 3, layer: 4 };

/** The order inside an archive: indexes, manifests, configs, then the big blobs, so that a reader of a pipe knows early what it needs. */
export function archiveOrder(contents: Plan['contents']): readonly Content[] {
  return [...contents.values()].sort((a, b) => archiveRanks[a.role] - archiveRanks[b.role]);
}

/** Contents by height: a wave refers only to the waves before it. */
function waves(contents: Plan['contents']): readonly (readonly Content[])[] {
  const byHeight: Content[][] = [];
  for (const content of contents.values()) (byHeight[content.height] ??= []).push(content);
  return byHeight.filter((wave) => wave !== undefined);
}
