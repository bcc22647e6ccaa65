// Runs inside an empty project that has the packed library installed: program.mjs <archive>
//
// The archive that the command line wrote is taken into memory, verified, and written again: the bytes must be the same.
import { readFile } from 'node:fs/promises';
import { exportImages, importImages, layoutStore, memoryDriver, openArchive } from '@oci-tar/core';

const path = process.argv[2];
const again = `${path}.again`;
const archive = await openArchive(path);
const store = layoutStore(memoryDriver(), { mayBeNew: true });
await importImages(archive, { target: store });
await archive.close();

const references = [];
for await (const image of store.images()) references.push(image.name);
await exportImages({ source: store, references, output: again });
await store.close();

const [before, after] = await Promise.all([readFile(path), readFile(again)]);
if (!before.equals(after)) throw new Error(`the archive of ${references} has other bytes the second time`);
