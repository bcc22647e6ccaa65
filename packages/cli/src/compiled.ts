import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';
import { userFolders } from './user-folders.ts';

/** Below this a file is compiled sooner than its compiled form is read, in bytes. */
const worthwhile = 64 * 1024;

/** Many times what V8 makes of our largest file, in bytes. */
const largest = 32 * 1024 * 1024;

/** Most short runs are over by then, in ms. */
const soon = 250;

/** What other versions of Node left is kept for as long, in ms. */
const longAgo = 30 * 24 * 60 * 60 * 1000;

/** A sha256 of what the code belongs to and of the code. */
const headerSize = 32;

/**
 * Has V8's compiled form of the files beside `main` kept from one run to the next, in this user's cache folder: to read and compile the code is a third of a short run
 * (docs/decisions/compiled-code.md). Nothing is said where the folder cannot be used; NODE_DISABLE_COMPILE_CACHE turns it off, as it does with Node's own.
 */
export function keepCompiled(main: string, version: string): void {
  if (process.env['NODE_DISABLE_COMPILE_CACHE']) return;
  const { cache } = userFolders(process.env, process.platform);
  if (!isOurs(cache)) return;
  const folder = join(cache, 'compiled');
  const modules = process.getBuiltinModule('node:module');
  const { extensions } = modules.createRequire(main);
  const usual = extensions['.js'];
  extensions['.js'] = (module, path) => {
    if (dirname(path) !== dirname(main) || statSync(path).size < worthwhile) return usual(module, path);
    const run: unknown = compile(path, folder, version).runInThisContext();
    if (typeof run === 'function') Reflect.apply(run, module.exports, [module.exports, modules.createRequire(path), module, path, dirname(path)]);
  };
}

/**
 * Root with another user's HOME would leave a ~/.cache there that this user cannot enter, a relative HOME something in every working directory, and a HOME that is not there
 * (/nonexistent, as Debian has it for services) is to stay so.
 */
function isOurs(cache: string): boolean {
  if (!isAbsolute(cache)) return false;
  const owner = ownerOf(dirname(cache)) ?? ownerOf(dirname(dirname(cache)));
  return owner !== undefined && (process.geteuid === undefined || owner === process.geteuid() || owner === 0);
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

function compile(path: string, folder: string, version: string): Script {
  const { cachedDataVersionTag } = process.getBuiltinModule('node:v8');
  // Of V8's version, its flags and the processor: what was compiled under others is of no use.
  const tag = cachedDataVersionTag();
  const file = join(folder, `${basename(path)}-${tag.toString(16)}`);
  const { size, ctimeMs } = statSync(path);
  // V8 compares no more of the source than its length. Not the date that files out of npm have: it is the same for all, a package that was built anew under its old version included.
  const key = `${version} ${size} ${ctimeMs}`;
  const cachedData = read(file, key);
  const source = `(function(exports,require,module,__filename,__dirname){${readFileSync(path, 'utf8')}\n})`;
  const script = new Script(source, { filename: path, ...(cachedData === undefined ? {} : { cachedData }) });
  if (cachedData === undefined || script.cachedDataRejected === true) {
    const keep = () => {
      clearTimeout(timer);
      process.off('exit', keep);
      if (cachedDataVersionTag() === tag) write(file, key, script.createCachedData());
    };
    // When what this run needs has been compiled too, but before V8 drops what has not run for a while: of a build of 5 s hardly anything was left.
    const timer = setTimeout(keep, soon).unref();
    process.on('exit', keep);
  }
  return script;
}

/** Code that another user could have written is not run, nor is waited for what is no file; and V8 crashes on what a power failure left of a file. */
function read(path: string, key: string): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    const { uid, mode } = stats;
    if (!stats.isFile() || stats.size > largest) return undefined;
    if (process.geteuid !== undefined && (uid !== process.geteuid() || (mode & 0o022) !== 0)) return undefined;
    const bytes = readFileSync(file);
    const code = bytes.subarray(headerSize);
    return header(key, code).equals(bytes.subarray(0, headerSize)) ? code : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function write(path: string, key: string, code: Buffer): void {
  const staged = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(staged, Buffer.concat([header(key, code), code]), { flag: 'wx', mode: 0o600 });
    renameSync(staged, path);
    sweep(dirname(path));
  } catch {
    try {
      rmSync(staged, { force: true });
    } catch {
      // Where there is no folder there is no file.
    }
  }
}

function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!/^[\w-]+\.js-[\da-f]+(?:\.\d+\.tmp)?$/.test(name)) continue;
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > longAgo) rmSync(path, { force: true });
  }
}

function header(key: string, code: Buffer): Buffer {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(`${key}\n`).update(code).digest();
}
