import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { userFolders } from './user-folders.ts';

/** Below this a file is compiled sooner than its compiled form is read, in bytes. */
const worthwhile = 64 * 1024;

/** Many times what V8 makes of our largest file, in bytes. */
const largest = 32 * 1024 * 1024;

/** Most short runs are over by then, in ms. */
const soon = 250;

/** A sha256 of what the code belongs to and of the code. */
const headerSize = 32;

/**
 * Has V8's compiled form of the files beside `main` kept from one run to the next, in this user's cache folder: to read and compile the code is a third of a short run
 * (docs/decisions/compiled-code.md). Nothing is said where the folder cannot be used; NODE_DISABLE_COMPILE_CACHE turns it off, as it does with Node's own.
 */
export function keepCompiled(main: string, version: string): void {
  if (process.env['NODE_DISABLE_COMPILE_CACHE']) return;
  const folder = join(userFolders(process.env, process.platform).cache, 'compiled');
  const modules = process.getBuiltinModule('node:module');
  const { extensions } = modules.createRequire(main);
  const usual = extensions['.js'];
  extensions['.js'] = (module, path) => {
    if (dirname(path) !== dirname(main) || statSync(path).size < worthwhile) return usual(module, path);
    const run: unknown = compile(path, folder, version).runInThisContext();
    if (typeof run === 'function') Reflect.apply(run, module.exports, [module.exports, modules.createRequire(path), module, path, dirname(path)]);
  };
}

function compile(path: string, folder: string, version: string): Script {
  const { cachedDataVersionTag } = process.getBuiltinModule('node:v8');
  // Of V8's version, its flags and the processor: what was compiled under others is of no use.
  const tag = cachedDataVersionTag();
  const file = join(folder, `${basename(path)}-${tag.toString(16)}`);
  const { size, mtimeMs } = statSync(path);
  // V8 compares no more of the source than its length. Files out of npm all have one date, but each version is published once.
  const key = `${version} ${size} ${mtimeMs}`;
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
  } catch {
    try {
      rmSync(staged, { force: true });
    } catch {
      // Where there is no folder there is no file.
    }
  }
}

function header(key: string, code: Buffer): Buffer {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(`${key}\n`).update(code).digest();
}
