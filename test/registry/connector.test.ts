import { Socket } from 'node:net';
import type { OnReadOpts } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connector } from '../../packages/core/src/stores/registry/connector.ts';

type Build = Parameters<typeof connector>[0];
type To = Parameters<ReturnType<typeof connector>>[0];

const plainly: To = { hostname: 'registry.example', protocol: 'http:', port: '80' };

/** What a connection was made with, and what its socket got. */
interface Made {
  readonly socket: Socket;
  readonly reads: OnReadOpts | undefined;
  readonly pushed: Buffer[];
}

/** So many connections to nothing. `takes` is what their sockets say to each push. */
function connections(count: number, to: To, takes = true): Made[] {
  const all: Made[] = [];
  const build: Build = (options) => (_to, callback) => {
    const pushed: Buffer[] = [];
    const socket = new Socket();
    socket.push = (chunk: Buffer) => {
      pushed.push(chunk);
      return takes;
    };
    all.push({ socket, pushed, reads: options !== undefined && 'onread' in options ? options.onread : undefined });
    callback(null, socket);
  };
  const connect = connector(build, { timeout: 1 });
  for (let i = 0; i < count; i++) {
    let given: unknown;
    connect(to, (_error, socket) => (given = socket));
    expect(given).toBe(all.at(-1)?.socket);
  }
  return all;
}

function connected(to: To, takes = true): Made {
  const [made] = connections(1, to, takes);
  if (made === undefined) throw new Error('there is no connection');
  return made;
}

/** Has `count` bytes come, of the value `mark`; says how much could have. */
function come({ reads }: Made, count: number, mark = 0): { readonly room: number; readonly goesOn: boolean } {
  const memory = reads?.buffer;
  const room = typeof memory === 'function' ? memory() : new Uint8Array(0);
  const taken = Math.min(count, room.byteLength);
  room.fill(mark, 0, taken);
  return { room: room.byteLength, goesOn: reads?.callback(taken, room) ?? false };
}

describe('a connection without TLS', () => {
  it('is read in large pieces where much comes, and in small ones again where little does', () => {
    const made = connected(plainly);
    expect(come(made, 100).room).toBe(64 * 1024);
    expect(come(made, 64 * 1024).room).toBe(64 * 1024);
    expect(come(made, 1024 * 1024).room).toBe(1024 * 1024);
    expect(come(made, 40 * 1024).room).toBe(1024 * 1024);
    expect(come(made, 1024 * 1024).room).toBe(984 * 1024);
    expect(come(made, 40 * 1024).room).toBe(1024 * 1024);
  });

  it('gives each piece memory of its own', () => {
    const made = connected(plainly);
    const counts = [10, 64 * 1024, 200_000, 5, 100_000, 33_000, 700_000, 64 * 1024, 1];
    for (const [i, count] of counts.entries()) come(made, count, i);
    expect(made.pushed.map((chunk) => chunk.byteLength)).toEqual(counts);
    for (const [i, chunk] of made.pushed.entries()) expect(chunk.every((byte) => byte === i)).toBe(true);
  });

  it('does not keep large memory for what is small', () => {
    const made = connected(plainly);
    for (const count of [64 * 1024, 1024 * 1024, 2_000]) come(made, count);
    expect(made.pushed.at(-1)?.buffer.byteLength).toBeLessThanOrEqual(8 * 1024);
  });

  it('shares with others over which much comes, until they end', async () => {
    const all = connections(30, plainly);
    const [first, second] = all;
    if (first === undefined || second === undefined) throw new Error('there are no connections');
    const fill = (made: Made) => come(made, 1024 * 1024).room;
    for (const made of all.slice(0, 6)) fill(made);
    expect(fill(first)).toBe(512 * 1024);
    for (const made of all) fill(made);
    expect(fill(first)).toBe(Math.floor((3 * 1024 * 1024) / 30));
    for (const made of all.slice(2)) made.socket.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    expect(fill(first)).toBe(1024 * 1024);
    come(second, 10);
    expect(fill(first)).toBe(1024 * 1024);
  });

  it('pauses where its reader does', () => {
    expect(come(connected(plainly), 10).goesOn).toBe(true);
    expect(come(connected(plainly, false), 10).goesOn).toBe(false);
    expect(come(connected(plainly, false), 64 * 1024).goesOn).toBe(false);
  });
});

describe('a connection over TLS', () => {
  it('is read as ever', () => {
    expect(connected({ ...plainly, protocol: 'https:' }).reads).toBeUndefined();
  });
});
