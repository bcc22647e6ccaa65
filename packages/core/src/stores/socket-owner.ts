import { readFile, stat } from 'node:fs/promises';

/** Who may use a unix socket that this user may not, in words: root, or the group that it belongs to. */
export async function socketOwnerHint(path: string): Promise<string> {
  try {
    const { gid, mode } = await stat(path);
    // Without write permission for the group, membership would not help.
    if (gid === 0 || (mode & 0o020) === 0) return 'The socket belongs to root: run this as root, as with sudo.';
    return `The socket belongs to the group ${await groupName(gid)}: run this as root, or as a member of that group.`;
  } catch {
    return 'The folder of the socket belongs to root: run this as root, as with sudo.';
  }
}

async function groupName(gid: number): Promise<string> {
  const lines = (await readFile('/etc/group', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  return lines.find(([, , id]) => id === String(gid))?.[0] ?? String(gid);
}
