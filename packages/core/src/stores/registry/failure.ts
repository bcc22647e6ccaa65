import { OciTarError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { connectionCode, refusals, timeoutCodes } from '../connection-codes.ts';
import { shownUrl } from './endpoint.ts';

/** What a server says went wrong may be so long, in bytes. */
export const failureLimit = 64 * 1024;

/** Whether a request may be sent again after such an answer. */
export function passes(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}

/** The error of an answer, with what the registry says of it (distribution-spec, "Error Codes"). `registry` is what one logs in to. */
export function answerFailure(method: string, url: URL, status: number, body: string, registry = url.host): OciTarError {
  const said = messagesIn(body);
  const { hostname, host } = url;
  const message = `${host} answered ${status} to ${method} ${url.pathname}${said === '' ? '' : `: ${said}`}`;
  const code = codeOf(status);
  const hint = hintFor(status, registry);
  return new OciTarError(code, message, { subject: shownUrl(url), actual: status, ...(hint === undefined ? {} : { hint }), cause: { status, hostname } });
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'UNAUTHORIZED';
  if (status === 403) return 'FORBIDDEN';
  if (status === 404) return 'NOT_FOUND';
  return status === 408 || status === 504 ? 'TIMEOUT' : 'REGISTRY';
}

function hintFor(status: number, registry: string): string | undefined {
  if (status === 401) return `Log in first: oci-tar login ${registry}`;
  if (status === 429) return 'The registry limits how often it may be asked: wait, or log in.';
  return undefined;
}

/** At most a few lines of text, whatever came. */
function messagesIn(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    const errors = typeof parsed === 'object' && parsed !== null && 'errors' in parsed && Array.isArray(parsed.errors) ? parsed.errors : [];
    return errors.slice(0, 3).map(textOf).filter((text) => text !== '').join('; ').slice(0, 500);
  } catch {
    return '';
  }
}

function textOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = 'message' in error && typeof error.message === 'string' ? error.message : '';
  return [code, message].filter((text) => text !== '').join(' ');
}

/** The error of a request that got no whole answer, perhaps through a proxy. Ours and aborts pass unchanged. */
export function connectionFailure(error: unknown, url: URL, signal: AbortSignal | undefined, proxy?: string): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (!(error instanceof Error) || error instanceof OciTarError) return error;
  const code = connectionCode(error);
  const details = { subject: shownUrl(url), cause: error, ...(proxy === undefined ? {} : { hint: `It was asked through the proxy ${new URL(proxy).host}, but for what NO_PROXY says.` }) };
  if (timeoutCodes.includes(code)) return new OciTarError('TIMEOUT', `${url.host} did not answer in time`, details);
  const refusal = refusals[code];
  if (refusal !== undefined) return new OciTarError('REGISTRY', `${url.host} cannot be reached: ${refusal}`, details);
  if (speaksNoTls(error)) return new OciTarError('REGISTRY', `${url.host} speaks no TLS`, { ...details, hint: 'If that is meant to be so, add --plain-http.' });
  if (isTlsCode(code)) {
    return new OciTarError('REGISTRY', `${url.host} is not trusted: ${error.message.split('\n', 1)[0] ?? code}`, { ...details, hint: 'Give the authority that signed it with --ca FILE.' });
  }
  return new OciTarError('REGISTRY', `${url.host} gave no proper answer: ${error.message.split('\n', 1)[0] ?? code}`, details);
}

/** Whether a connection failed in a way that may pass. */
export function mayPass(error: unknown): boolean {
  return error instanceof Error && (timeoutCodes.includes(connectionCode(error)) || ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'EAI_AGAIN'].includes(connectionCode(error)));
}

/** Whether a server that was asked over TLS answered in plain HTTP. */
export function speaksNoTls(error: unknown): boolean {
  return error instanceof Error && /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|wrong version number|EPROTO/.test(`${connectionCode(error)} ${error.message}`);
}

/** Whether a server's certificate was signed by nobody that is known. */
export function hasUnknownAuthority(error: unknown): boolean {
  return error instanceof Error && /^(?:UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(connectionCode(error));
}

function isTlsCode(code: string): boolean {
  return /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO|HOSTNAME_MISMATCH)/.test(code);
}
