import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Verifier } from '../../bytes/digest.ts';
import { mapErrno } from '../../runtime/node/errno.ts';
import { lockTimes } from './lock.ts';
import { sweepLockFiles } from './lock-file.ts';
import { createOwnerFile } from './owner-file.ts';
import type { OwnOwnerFile } from './owner-file.ts';
import { newOwner } from './owner.ts';
import { lockName, privateFolder, privateName } from './private-folder.ts';
import { stageFile } from './staged-file.ts';
import type { StagedFile } from './staged-file.ts';
import { grace, sweepFolders } from './sweep.ts';
import { randomHex } from '../../runtime/node/builtins.ts';

interface Entered {
  readonly folder: string;
  readonly file: OwnOwnerFile;
  readonly timer: ReturnType<typeof setInterval>;
}

/** Where files of one layout are while they are written: a folder of this driver's own, with its owner beside them. */
export class Staging {
  readonly #root: string;
  readonly #open = new Set<StagedFile>();
  #entered: Promise<Entered> | undefined;
  #ended: { readonly reason: unknown } | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Starts a new file. The first call makes the folder and sweeps those of killed processes. */
  async open(mode: number, digesting?: Verifier): Promise<StagedFile> {
    const file = await stageFile(await this.newPath(), mode, digesting);
    const tracked: StagedFile = {
      path: file.path,
      write: (chunk) => file.write(chunk),
      commit: () => file.commit().finally(() => this.#open.delete(tracked)),
      abort: (reason) => file.abort(reason).finally(() => this.#open.delete(tracked)),
    };
    this.#open.add(tracked);
    // `dispose` came while the file was opened, and has not seen it.
    if (this.#ended !== undefined) await tracked.abort();
    this.#checkOpen();
    return tracked;
  }

  #checkOpen(): void {
    if (this.#ended !== undefined) throw this.#ended.reason;
  }

  /** A path in the folder, of a file that is not there yet. */
  async newPath(): Promise<string> {
    this.#checkOpen();
    this.#entered ??= this.#enter();
    const { folder } = await this.#entered.catch((error: unknown) => {
      this.#entered = undefined;
      throw mapErrno(error, join(this.#root, privateName));
    });
    return join(folder, randomHex(8));
  }

  /** Gives up the files that are still open and removes the folder with all that is in it. */
  async dispose(reason: unknown): Promise<void> {
    this.#ended ??= { reason };
    for (const file of this.#open) await file.abort(reason);
    const entered = await this.#entered?.catch(() => undefined);
    this.#entered = undefined;
    if (entered === undefined) return;
    clearInterval(entered.timer);
    await entered.file.close().catch(() => {});
    await rm(entered.folder, { recursive: true, force: true });
  }

  async #enter(): Promise<Entered> {
    const owner = await newOwner();
    const staging = join(this.#root, privateName, 'staging');
    const folder = join(staging, owner.id);
    await privateFolder(join(this.#root, privateName));
    await privateFolder(staging);
    await privateFolder(folder);
    const file = await createOwnerFile(join(folder, 'owner'), owner);
    const timer = setInterval(() => void file.touch().catch(() => {}), lockTimes.heartbeat);
    timer.unref();
    const now = await file.touch();
    // Left-overs cost space but harm nothing: what cannot be swept (another user's) must not keep anyone from writing.
    await sweepFolders(staging, now).catch(() => {});
    await sweepLockFiles(join(this.#root, privateName, lockName), now, grace).catch(() => {});
    return { folder, file, timer };
  }
}
