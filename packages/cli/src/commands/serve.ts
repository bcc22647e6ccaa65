import { createWriteStream, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { basename } from 'node:path';
import { OciTarError, accessLine, openSource, openTarget, readPasswords, serveRegistry } from '@oci-tar/core';
import type { Access, ImageStore, ListenOptions, Location, RunningServer, ServedPlace } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { naming, placeOf } from '../places.ts';
import { shown } from '../style.ts';

export const command = defineCommand({
  spec: '[place..]',
  words: { place: 'Archives, layout directories, names (out.tar, oci:DIR, hello:1); the whole local store by default' },
  options: {
    listen: textOption('Address and port; 127.0.0.1:5000 by default, :5000 for every address, port 0 for any that is free'),
    writable: textOption('A layout directory (made where it is missing), or store: for the local store, that can be pushed to'),
    'allow-delete': flagOption('Lets clients delete tags and manifests of what is writable'),
    'base-name': textOption('Repository of images that have only a tag, or no name; by default as the file or directory is called'),
    'tls-cert': textOption('File with the certificate chain (PEM), for HTTPS'),
    'tls-key': textOption('File with its private key (PEM)'),
    'auth-file': textOption('File with a line for each user: name, colon, and what openssl passwd -6 prints'),
    metrics: flagOption('Figures for Prometheus at /metrics'),
    'access-log': textOption('File to which a line for each request is added; - for standard error'),
  },
  examples: [
    ['oci-tar serve out.tar', 'then docker pull localhost:5000/hello:1'],
    ['oci-tar serve a.tar b.tar oci:layout', 'several places as one registry'],
    ['oci-tar serve --writable ./images', 'docker push localhost:5000/hello:1 lands in an image layout directory'],
    ['oci-tar serve out.tar --listen :5000 --tls-cert c.pem --tls-key k.pem --auth-file users', 'for other machines'],
  ],
  remarks: 'Runs until it is stopped (Ctrl-C, SIGTERM): what is under way is answered first, for up to 8 seconds. Each blob is verified before the last of it is handed out for the first time, and nothing is unpacked. Only this machine can reach it unless --listen says otherwise.',
  async run(words, options, context) {
    const { writable: target } = options;
    const tls = tlsOf(options['tls-cert'], options['tls-key']);
    const auth = options['auth-file'] === undefined ? undefined : await readPasswords(textOf(options['auth-file'], 'auth-file'), options['auth-file']);
    const log = accessLog(options['access-log'], context);
    const opened: ImageStore[] = [];
    let server: RunningServer | undefined;
    try {
      const places: ServedPlace[] = [];
      for (const word of words.length === 0 && target === undefined ? ['store:'] : words) {
        const place = await served(word, options['base-name'], context);
        opened.push(place.store);
        places.push(place);
      }
      const writable = target === undefined ? undefined : await writableAt(target, context);
      if (writable !== undefined) opened.push(writable);
      const request: ListenOptions = {
        places,
        onLog: (line) => void (context.quiet || context.io.stderr.write(`oci-tar: ${shown(line)}\n`)),
        ...(writable === undefined ? {} : { writable }),
        ...(options.listen === undefined ? {} : { listen: options.listen }),
        ...(tls === undefined ? {} : { tls }),
        ...(auth === undefined ? {} : { auth }),
        ...(log === undefined ? {} : { onAccess: log.add }),
        allowDelete: options['allow-delete'] === true,
        metrics: options.metrics === true,
      };
      server = await serveRegistry(request);
      if (!server.isLoopback && auth === undefined) {
        context.io.stderr.write(`oci-tar: warning: every machine that reaches ${server.host} can ${writable === undefined ? 'pull from' : 'pull from and push to'} this registry; see --auth-file\n`);
      }
      const repositories = await server.repositories();
      await print(context, {
        json: { url: server.url, host: server.host, repositories, writable: writable !== undefined },
        text: `serving ${repositories} ${repositories === 1 ? 'repository' : 'repositories'} at ${server.url}${writable === undefined ? '' : `, writable: ${shown(writable.name)}`}\n`,
        names: [server.url],
      });
      await aborted(context.signal);
    } finally {
      await server?.stop();
      for (const store of opened) await store.close();
      await log?.close();
    }
  },
});

async function served(word: string, baseName: string | undefined, context: Context): Promise<ServedPlace> {
  const location = placeOf(word);
  if (location.scheme === 'docker') throw new UsageError(`${word} is a registry already`, 'Serve what you have copied from it: oci-tar copy docker://NAME oci:DIR');
  const store = await naming(location.path ?? '', () => openSource(location, { store: context.store, signal: context.signal, onNote: (text) => note(context, text) }));
  try {
    // What is not there is an error now, not one for each client later.
    if (location.reference === undefined) for await (const _image of store.images()) break;
    else await store.resolve(location.reference);
  } catch (error) {
    await store.close();
    throw error;
  }
  return { store, baseName: baseName ?? baseNameOf(location.path), ...(location.reference === undefined ? {} : { reference: location.reference }) };
}

/** A repository called like the file, without what a repository cannot have. */
function baseNameOf(path: string | undefined): string {
  const name = basename(path ?? '').replace(/\.(?:tar(?:\.gz|\.zst)?|tgz|tzst)$/i, '');
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'image';
}

async function writableAt(word: string, context: Context): Promise<ImageStore> {
  const { scheme, path, reference } = locationOf(word);
  if (reference !== undefined) throw new UsageError('--writable takes a whole directory, not one image of it');
  if (scheme === 'store' || scheme === 'oci' || scheme === 'dedup') return openTarget({ scheme, ...(path === undefined ? {} : { path }) }, { store: context.store });
  throw new UsageError(`--writable ${word}: only an image layout directory can be pushed to`, 'Write --writable DIR, oci:DIR or store:');
}

/** A plain word is a directory here, whether it exists or not. */
function locationOf(word: string): Location {
  return /^(?:store|oci|dedup|oci-archive|docker-archive|docker|dir):/.test(word) ? placeOf(word) : { scheme: 'oci', path: word };
}

function tlsOf(cert: string | undefined, key: string | undefined): { readonly cert: string; readonly key: string } | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError('--tls-cert and --tls-key go together');
  return { cert: textOf(cert, 'tls-cert'), key: textOf(key, 'tls-key') };
}

function textOf(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? 'NOT_FOUND' : 'FORBIDDEN';
    throw new OciTarError(code, `--${flag} ${path} cannot be read`, { subject: path, cause });
  }
}

interface AccessLog {
  readonly add: (access: Access) => void;
  readonly close: () => Promise<void>;
}

function accessLog(path: string | undefined, context: Context): AccessLog | undefined {
  if (path === undefined) return undefined;
  if (path === '-') return { add: (access) => context.io.stderr.write(`${accessLine(access)}\n`), close: async () => {} };
  const file = createWriteStream(path, { flags: 'a', mode: 0o640 });
  let broken = false;
  file.on('error', (error) => {
    if (!broken) context.io.stderr.write(`oci-tar: the access log ${path} cannot be written: ${error.message}\n`);
    broken = true;
  });
  return {
    add: (access) => void (broken || file.write(`${accessLine(access)}\n`)),
    close: async () => {
      if (broken) return;
      file.end();
      await once(file, 'close');
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
