import { isIP } from 'node:net';
import { OciTarError } from '../errors.ts';

/** Where a server listens. */
export interface ListenAddress {
  /** A name or an address, without brackets. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

export const defaultListen = '127.0.0.1:5000';

/** Reads `127.0.0.1:5000`, `[::1]:5000`, `:5000` (every address of this machine) and a port alone (loopback). INVALID_ARGUMENT. */
export function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? (plain === '' ? '::' : (plain ?? '127.0.0.1'));
  if (port !== '' && Number(port) <= 65_535 && (bracketed === undefined || isIP(bracketed) === 6)) return { host, port: Number(port) };
  throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(text)} is no address to listen at`, { subject: text, hint: 'Write 127.0.0.1:5000, [::1]:5000, or :5000 for every address of this machine.' });
}

/** Whether only this machine itself can get there. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost') return true;
  if (isIP(host) === 4) return host.startsWith('127.');
  return isIP(host) === 6 && new URL(`http://[${host}]`).hostname === '[::1]';
}

/** As part of a URL. */
export function hostText(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
