// Streams local files into a container of the docker engine, as a tar that is made while it is sent, and compares their digests there.
//   node examples/upload-to-container.mjs <container> </directory/in/it> <file...>
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, posix } from 'node:path';
import { counted, digestStream, dockerContainers, fileSource, packFiles, pieceBytes } from '@oci-tar/core';

const [container = '', directory = '/', ...files] = process.argv.slice(2);
const containers = await dockerContainers();

// 1. Pieces of a tar, pulled one by one: no file is opened before the engine is ready to take it.
const pieces = packFiles(files, { uid: 0, gid: 0 });
let bytes = 0;
const archive = counted(pieceBytes(pieces), (count) => (bytes += count));

// 2. The body of one request. How it ended is a literal, each with a status of its own.
const result = await containers.uploadArchive(container, directory, archive);
console.log(result.outcome === 'done' ? `done: ${bytes} bytes of tar` : `${result.outcome} (${result.status}): ${result.message}`);

// 3. What is there now, read back.
const folder = await mkdtemp(join(tmpdir(), 'upload-'));
const digestOf = async (path) => (await digestStream((await fileSource(path)).read())).digest;
for (const path of result.outcome === 'done' ? files : []) {
  const name = basename(path);
  const back = join(folder, `of-${name}`);
  await containers.downloadTree(container, posix.join(directory, name), back);
  const digest = await digestOf(path);
  console.log(`${(await digestOf(join(back, name))) === digest ? 'same' : 'DIFFERENT'} ${digest} ${name}`);
}
await rm(folder, { recursive: true });
await containers.close();
