import { OciTarError } from '../../errors.ts';

/** That of docker 20.10, the oldest that is tested. */
const oldest = [1, 41] as const;
/** That of docker 28, whose answers are understood; a newer engine still knows it. */
const newest = [1, 51] as const;

type Version = readonly [major: number, minor: number];

/**
 * The version of the API that is spoken: the engine's own, but none newer than is known here, or the one that is asked for
 * (DOCKER_API_VERSION). UNSUPPORTED for an engine older than docker 20.10 (1.41).
 */
export function chosenVersion(offered: string | undefined, wanted: string | undefined, engine: string): string {
  const theirs = parsed(offered);
  if (theirs === undefined) throw new OciTarError('ENGINE', `what answers at ${engine} is no docker engine: it names no version of its API`, { subject: engine });
  if (compare(theirs, oldest) < 0) {
    const versions = `version ${theirs.join('.')} of the API, and ${oldest.join('.')} is the oldest that is understood here`;
    throw new OciTarError('UNSUPPORTED', `the docker engine at ${engine} speaks ${versions}`, {
      subject: engine,
      expected: oldest.join('.'),
      actual: theirs.join('.'),
      hint: 'docker 20.10 and later speak it.',
    });
  }
  if (wanted !== undefined && wanted !== '') {
    const asked = parsed(wanted);
    if (asked !== undefined && compare(asked, oldest) >= 0) return asked.join('.');
    throw new OciTarError('INVALID_ARGUMENT', `DOCKER_API_VERSION ${JSON.stringify(wanted)} is no version from ${oldest.join('.')} on`, { subject: wanted });
  }
  return (compare(theirs, newest) < 0 ? theirs : newest).join('.');
}

/** Whether a version is this one or later. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const found = parsed(version);
  return found !== undefined && compare(found, [major, minor]) >= 0;
}

function parsed(text: string | undefined): Version | undefined {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})$/.exec(text ?? '') ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1];
}
