import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withLock } from '../../packages/core/src/drivers/directory/lock.ts';
import { sweepLockFiles } from '../../packages/core/src/drivers/directory/lock-file.ts';
import { liveness, newOwner, parseOwner } from '../../packages/core/src/drivers/directory/owner.ts';
import type { Owner } from '../../packages/core/src/drivers/directory/owner.ts';
import { bundled } from './bundled.ts';

vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original();
  return { ...real, link: vi.fn(real.link) };
});

let root: string;
let lock: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-tar-lock-'));
  lock = join(root, '.oci-tar/index.lock');
});

afterEach(async () => {
  vi.mocked(link).mockClear();
  await rm(root, { recursive: true, force: true });
});

/** Quick enough for a test; the order of the three is that of the real ones. */
const quick = { timeout: 5000, heartbeat: 30, stale: 250 };
const files = async () => (await readdir(join(root, '.oci-tar'))).sort();

async function plant(owner: object | string, age = 0): Promise<void> {
  await mkdir(join(root, '.oci-tar'), { recursive: true });
  await writeFile(lock, typeof owner === 'string' ? owner : JSON.stringify(owner));
  const when = Date.now() / 1000 - age;
  await utimes(lock, when, when);
}

async function dead(): Promise<Owner> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return { ...(await newOwner()), pid: child.pid ?? 0 };
}

describe('withLock', () => {
  it('returns what the work returns and leaves no file', async () => {
    expect(await withLock(lock, async () => files())).toEqual(['index.lock']);
    expect(await files()).toEqual([]);
  });

  it('is not waited for after an abort, whether another process has it or this one, and keeps nobody else from it', async () => {
    const reason = new Error('enough');
    await plant({ ...(await newOwner()), pid: process.ppid, start: undefined });
    const waiting = withLock(lock, async () => 'got it', { ...quick, timeout: 20_000, stale: 20_000, signal: AbortSignal.timeout(30) });
    await expect(waiting).rejects.toThrow(/timeout|aborted/);
    await rm(lock);

    const controller = new AbortController();
    let leave = () => {};
    const first = withLock(lock, () => new Promise<void>((resolve) => (leave = resolve)));
    const second = withLock(lock, async () => 'never', { signal: controller.signal });
    const third = withLock(lock, async () => 'third');
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    await vi.waitFor(() => expect(leave.name).not.toBe('leave'));
    leave();
    await first;
    expect(await third).toBe('third');
    await expect(withLock(lock, async () => 'never', { signal: controller.signal })).rejects.toBe(reason);
    expect(await files()).toEqual([]);
  });

  it('shows its owner, complete, while it is held', async () => {
    await withLock(lock, async () => {
      expect(parseOwner(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid });
    });
  });

  it('is released when the work fails', async () => {
    await expect(withLock(lock, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
    expect(await files()).toEqual([]);
  });

  it('goes round in the order of the calls within one process', async () => {
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4, 5].map((n) => withLock(lock, async () => void order.push(n))));
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  it('is one lock, however its path is spelled', async () => {
    await mkdir(join(root, '.oci-tar'));
    await symlink(root, `${root}-link`);
    try {
      await withLock(lock, async () => {
        await expect(withLock(join(`${root}-link`, '.oci-tar/index.lock'), async () => {}, { timeout: 50 })).rejects.toMatchObject({
          code: 'CONFLICT',
          message: expect.stringContaining('this process'),
        });
      });
    } finally {
      await rm(`${root}-link`);
    }
  });

  it('gives up with CONFLICT instead of waiting for itself, and the queue goes on', async () => {
    const later = withLock(lock, async () => {
      const nested = withLock(lock, async () => {}, { timeout: 50 });
      const behind = withLock(lock, async () => 'behind');
      await expect(nested).rejects.toMatchObject({ code: 'CONFLICT' });
      return { behind };
    });
    expect(await (await later).behind).toBe('behind');
  });

  it('waits for a living owner and names it when the time is up', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
      await plant({ ...(await newOwner()), pid: child.pid, start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] }, 9999);
      await expect(withLock(lock, async () => {}, { ...quick, timeout: 200 })).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining(`process ${child.pid} on `),
      });
      expect(await files()).toEqual(['index.lock']);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    expect(await withLock(lock, async () => 'taken', quick)).toBe('taken');
  });

  it('takes over at once from an owner that is gone, also when several want to', async () => {
    await plant(await dead());
    let inside = 0;
    const work = async () => {
      inside++;
      expect(inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(lock, work)));
    expect(await files()).toEqual([]);
  });

  it('takes over although the one who was taking over was killed too', async () => {
    const [first, second, third] = [await dead(), await dead(), await dead()];
    await plant(first);
    await writeFile(`${lock}.${first.id}`, JSON.stringify(second));
    await writeFile(`${lock}.${first.id}.${second.id}`, JSON.stringify(third));
    expect(await withLock(lock, async () => 'taken', quick)).toBe('taken');
    expect(await files()).toEqual([]);
  });

  it('leaves a lock alone whose dead owner was replaced before the right to break it was had', async () => {
    const [gone, busy] = [await dead(), await newOwner()];
    await plant(gone);
    // The right is held by this living process, which exchanges the lock before it gives the right back.
    await writeFile(`${lock}.${gone.id}`, JSON.stringify(busy));
    const waiting = withLock(lock, async () => {}, { ...quick, timeout: 400 });
    setTimeout(() => {
      void plant(busy).then(() => rm(`${lock}.${gone.id}`));
    }, 100);
    await expect(waiting).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(parseOwner(await readFile(lock, 'utf8'))?.id).toBe(busy.id);
  });

  it.each([
    ['another host', { host: 'elsewhere' }],
    ['another machine of the same name', { machine: 'x' }],
    ['another container', { namespace: 'pid:[1]' }],
  ])('takes over from %s only when the owner stopped touching the lock', async (_, change) => {
    const owner = { ...(await newOwner()), ...change };
    await plant(owner);
    const alive = setInterval(() => void writeFile(lock, JSON.stringify(owner), { flag: 'r+' }), 20);
    await expect(withLock(lock, async () => {}, { ...quick, timeout: 600 })).rejects.toMatchObject({ code: 'CONFLICT' });
    clearInterval(alive);
    expect(await withLock(lock, async () => 'taken', quick)).toBe('taken');
  });

  it('gives an owner that seems to have stopped time for one more touch', async () => {
    const owner = { ...(await newOwner()), host: 'elsewhere' };
    await plant(owner, 9999);
    const waiting = withLock(lock, async () => {}, { timeout: 800, heartbeat: 400, stale: 500 });
    setTimeout(() => void plant(owner), 200);
    await expect(waiting).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it.each(['', '{"id":"../../x"}', 'x'.repeat(10_000)])('takes over a lock that says nothing sensible (%#) once it is old', async (content) => {
    await plant(content);
    expect(await withLock(lock, async () => 'taken', quick)).toBe('taken');
    expect(await files()).toEqual([]);
  });

  it('touches the lock while it is held', async () => {
    await withLock(
      lock,
      async () => {
        await utimes(lock, 0, 0);
        await vi.waitFor(async () => expect((await stat(lock)).mtimeMs).toBeGreaterThan(1e12));
      },
      quick,
    );
  });

  it('does not release a lock that was taken from it', async () => {
    const other = await newOwner();
    await withLock(lock, async () => {
      await rm(lock);
      await plant(other);
    });
    expect(parseOwner(await readFile(lock, 'utf8'))?.id).toBe(other.id);
  });

  it('refuses a symbolic link in the place of the lock', async () => {
    await mkdir(join(root, '.oci-tar'));
    await symlink('/etc/passwd', lock);
    await expect(withLock(lock, async () => {})).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('does without hard links where there are none', async () => {
    vi.mocked(link).mockImplementation(() => Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' })));
    try {
      await plant(await dead());
      let inside = 0;
      const work = async () => {
        inside++;
        expect(inside).toBe(1);
        expect(await files()).toEqual(['index.lock']);
        inside--;
      };
      await Promise.all([1, 2, 3].map(() => withLock(lock, work, quick)));
      expect(await files()).toEqual([]);
      expect(link).toHaveBeenCalled();
    } finally {
      vi.mocked(link).mockReset();
    }
  });
});

describe('sweepLockFiles', () => {
  it('removes what killed processes left and nothing that is still of use', async () => {
    const [holder, gone, killed, here] = [await newOwner(), await dead(), await dead(), await newOwner()];
    await plant(holder);
    for (const [name, owner] of [
      [`.tmp-${killed.id}`, killed],
      [`.${gone.id}`, killed],
      [`.${gone.id}.${killed.id}`, here],
      [`.tmp-${here.id}`, here],
      [`.${holder.id}`, here],
    ] as const) {
      await writeFile(`${lock}${name}`, JSON.stringify(owner));
    }
    await sweepLockFiles(lock, Date.now(), 1000);
    expect(await files()).toEqual(['index.lock', `index.lock.${holder.id}`, `index.lock.tmp-${here.id}`].sort());
  });
});

describe('liveness', () => {
  it('knows this process, a gone one, and one whose PID was given out again', async () => {
    const here = await newOwner();
    expect(await liveness(here)).toBe('alive');
    expect(await liveness(await dead())).toBe('dead');
    expect(await liveness({ ...here, start: '1' })).toBe('dead');
  });

  it('takes a process of an earlier boot for dead only when the machine is surely the same', async () => {
    const { machine: _, ...here } = await newOwner();
    expect(await liveness({ ...here, machine: 'other', boot: 'earlier' })).toBe('unknown');
    const local = await newOwner();
    expect(await liveness({ ...local, boot: 'earlier' })).toBe(local.machine === undefined ? 'unknown' : 'dead');
  });

  it('takes a zombie for dead', async () => {
    // The shell starts a child and becomes a program that never waits for it.
    const shell = spawn('sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [chunk] = await once(shell.stdout, 'data');
      const pid = Number(String(chunk));
      const text = async () => readFile(`/proc/${pid}/stat`, 'utf8');
      await vi.waitFor(async () => expect(await text()).toContain(') Z '));
      const start = (await text()).split(') ')[1]?.split(' ')[19] ?? '';
      expect(await liveness({ ...(await newOwner()), pid, start })).toBe('dead');
    } finally {
      shell.kill('SIGKILL');
    }
  });

  it.each([
    '',
    'null',
    '[]',
    '{"id":"0123456789abcdef","pid":0,"host":"a"}',
    '{"id":"0123456789abcdef","pid":-1,"host":"a"}',
    '{"id":"0123456789abcde/","pid":1,"host":"a"}',
    '{"id":"0123456789abcdef","pid":1,"host":"a","boot":1}',
  ])('does not take %s for an owner', (content) => {
    expect(parseOwner(content)).toBeUndefined();
  });
});

describe('many processes', () => {
  const processes = 8;
  const increments = 50;
  const kills = 24;

  it('lose no increment and never hang, though some are killed inside and around the lock', { timeout: 180_000 }, async () => {
    const script = await bundled(
      root,
      `import { readFileSync, renameSync, writeFileSync } from 'node:fs';
       import { directoryDriver } from 'DRIVERS/directory.ts';
       const [layout, me, acknowledged] = process.argv.slice(2);
       const counters = layout + '/counters.json';
       const driver = directoryDriver(layout);
       let mine = Number(acknowledged);
       let first = true;
       while (mine < ${increments}) {
         await driver.exclusive(async () => {
           const all = JSON.parse(readFileSync(counters, 'utf8'));
           // After a kill the last increment may have been written without its acknowledgement.
           if (first ? all[me] !== mine && all[me] !== mine + 1 : all[me] !== mine) {
             console.log('lost ' + all[me] + ' of ' + mine);
             process.exit(1);
           }
           mine = all[me];
           // What a killed life had written without its acknowledgement is acknowledged now, before this life is killed too.
           if (first) console.log('did ' + mine);
           first = false;
           if (mine === ${increments}) return;
           console.log('inside');
           await new Promise((resolve) => setTimeout(resolve, 1));
           mine = ++all[me];
           writeFileSync(counters + '.' + me, JSON.stringify(all));
           renameSync(counters + '.' + me, counters);
         });
         console.log('did ' + mine);
       }`,
    );
    await mkdir(join(root, 'layout'));
    const counters = join(root, 'layout/counters.json');
    const none = Object.fromEntries(Array.from({ length: processes }, (_, me) => [me, 0]));
    await writeFile(counters, JSON.stringify(none));

    let killed = 0;
    let inside = 0;
    const faults: string[] = [];
    const live = async (me: number): Promise<void> => {
      let acknowledged = 0;
      // More lives than kills are not needed, unless a process fails by itself.
      for (let life = 0; acknowledged < increments && life <= kills; life++) {
        const child = spawn(process.execPath, [script, join(root, 'layout'), String(me), String(acknowledged)], { stdio: ['ignore', 'pipe', 'inherit'] });
        const exit = once(child, 'exit');
        for await (const line of createInterface({ input: child.stdout })) {
          if (line.startsWith('did ')) acknowledged = Number(line.slice(4));
          else if (line.startsWith('lost ')) faults.push(line);
          // Every 12th time it is in the critical section; every other of these a little later, out of it or waiting again.
          else if (++inside % 12 === 0 && killed < kills) {
            killed++;
            if (killed % 2 === 0) setTimeout(() => child.kill('SIGKILL'), killed / 2);
            else child.kill('SIGKILL');
          }
        }
        await exit;
        if (faults.length > 0) return;
      }
    };
    await Promise.all(Array.from({ length: processes }, (_, me) => live(me)));

    expect(faults).toEqual([]);
    expect(killed).toBe(kills);
    const all: unknown = JSON.parse(await readFile(counters, 'utf8'));
    expect(all).toEqual(Object.fromEntries(Object.keys(none).map((me) => [me, increments])));
  });
});
