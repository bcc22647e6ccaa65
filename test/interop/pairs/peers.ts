import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildah } from '../peers/buildah.ts';
import type { Buildah } from '../peers/buildah.ts';
import { containerd } from '../peers/containerd.ts';
import type { Containerd } from '../peers/containerd.ts';
import { dockerd } from '../peers/dockerd.ts';
import type { Dockerd } from '../peers/dockerd.ts';
import type { Needs } from '../peers/peer.ts';
import { podman } from '../peers/podman.ts';
import type { Podman } from '../peers/podman.ts';
import { skopeo } from '../peers/skopeo.ts';
import type { Skopeo } from '../peers/skopeo.ts';
import { lacking } from '../peers/tool.ts';
import { umoci } from '../peers/umoci.ts';
import type { Umoci } from '../peers/umoci.ts';

export interface Peers {
  readonly docker?: Dockerd;
  readonly podman?: Podman;
  readonly skopeo?: Skopeo;
  readonly ctr?: Containerd;
  readonly buildah?: Buildah;
  readonly umoci?: Umoci;
}

export type Tool = keyof Peers;

const needs: { readonly [T in Tool]-?: Needs<NonNullable<Peers[T]>> } = { docker: dockerd, podman, skopeo, ctr: containerd, buildah, umoci };

export function lackingTool(tool: Tool): string | undefined {
  return lacking(needs[tool].tools, needs[tool].root);
}

/** Starts those that are installed, all at once, each with a directory of its own. */
export async function startPeers(directory: string): Promise<Peers & { readonly stop: () => Promise<void> }> {
  const started = async <P>(tool: Tool, { start }: Needs<P>): Promise<P | undefined> => {
    if (lackingTool(tool) !== undefined) return undefined;
    const own = join(directory, tool);
    await mkdir(own);
    return start(own);
  };
  const [engine, containers, daemon, copier, builder, layouts] = await Promise.all([
    started('docker', needs.docker),
    started('podman', needs.podman),
    started('ctr', needs.ctr),
    started('skopeo', needs.skopeo),
    started('buildah', needs.buildah),
    started('umoci', needs.umoci),
  ]);
  return {
    ...(engine && { docker: engine }),
    ...(containers && { podman: containers }),
    ...(daemon && { ctr: daemon }),
    ...(copier && { skopeo: copier }),
    ...(builder && { buildah: builder }),
    ...(layouts && { umoci: layouts }),
    stop: async () => {
      await Promise.all([engine?.stop(), daemon?.stop()]);
    },
  };
}

export function the<T extends Tool>(peers: Peers, tool: T): NonNullable<Peers[T]> {
  const peer = peers[tool];
  if (peer === undefined) throw new Error(`${tool} is not running`);
  return peer;
}
