import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { check, flag, looseFields, parseObject, text } from '../../spec/schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where an engine is, as it is written, and what TLS needs. */
export interface EngineEndpoint {
  readonly host: string;
  readonly tls?: EngineTls;
}

/** Certificates in PEM; the system's authorities where there is no `ca`. */
export interface EngineTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly verify: boolean;
}

const configSchema = looseFields({ currentContext: v.exactOptional(text) });
const metaSchema = looseFields({
  Name: text,
  Endpoints: looseFields({ docker: v.exactOptional(looseFields({ Host: v.exactOptional(text), SkipTLSVerify: v.exactOptional(flag) })) }),
});

/** docker's folder for its configuration: DOCKER_CONFIG, else ~/.docker. */
export function dockerFolder(env: Environment): string {
  const given = env['DOCKER_CONFIG'];
  return given === undefined || given === '' ? join(env['HOME'] || homedir(), '.docker') : given;
}

/** The `currentContext` of config.json; undefined where there is none. */
export async function currentContext(env: Environment): Promise<string | undefined> {
  const path = join(dockerFolder(env), 'config.json');
  const bytes = await contents(path);
  if (bytes === undefined || bytes.byteLength === 0) return undefined;
  const name = check(configSchema, parseObject(bytes, { subject: path }, path), path).currentContext;
  return name === '' ? undefined : name;
}

/** The endpoint of a context, as `docker context create` keeps it. NOT_FOUND where there is no such context. */
export async function contextEndpoint(name: string, env: Environment): Promise<EngineEndpoint> {
  const id = createHash('sha256').update(name).digest('hex');
  const folder = join(dockerFolder(env), 'contexts');
  const path = join(folder, 'meta', id, 'meta.json');
  const bytes = await contents(path);
  if (bytes === undefined) {
    throw new OciTarError('NOT_FOUND', `docker has no context ${JSON.stringify(name)}`, { subject: name, hint: 'docker context ls lists those that there are.' });
  }
  const { docker } = check(metaSchema, parseObject(bytes, { subject: path }, path), path).Endpoints;
  if (docker?.Host === undefined || docker.Host === '') throw new OciTarError('UNSUPPORTED', `the context ${JSON.stringify(name)} has no docker engine`, { subject: name });
  const tls = await tlsFiles(join(folder, 'tls', id, 'docker'), docker.SkipTLSVerify !== true);
  const needed = tls.ca !== undefined || tls.cert !== undefined || !tls.verify;
  return needed ? { host: docker.Host, tls } : { host: docker.Host };
}

/** `ca.pem`, `cert.pem` and `key.pem` of a folder, each where it is there. */
export async function tlsFiles(folder: string, verify: boolean): Promise<EngineTls> {
  const [ca, cert, key] = await Promise.all(['ca.pem', 'cert.pem', 'key.pem'].map(async (name) => (await contents(join(folder, name)))?.toString()));
  if ((cert === undefined) !== (key === undefined)) {
    const missing = join(folder, cert === undefined ? 'cert.pem' : 'key.pem');
    throw new OciTarError('NOT_FOUND', `${missing} does not exist, but what belongs to it does`, { subject: missing });
  }
  return { ...(ca === undefined ? {} : { ca }), ...(cert === undefined || key === undefined ? {} : { cert, key }), verify };
}

async function contents(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw mapErrno(error, path);
  });
}
