// The programmatic driver API: what `oci-tar export` and `import` are made of.
//   node examples/driver-api.mjs [folder for the results]
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createImage, codecByName, directoryDriver, layoutStore, makePlan, memoryDriver, openFile, openOutput, parsePlatform, tarReader,
  tarSink, tarWriter, transfer, verifyImages,
} from '@oci-tar/core';

const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'driver-api-')));

// 1. A store is a layout over a driver. This one is in memory and goes with the process.
const memory = layoutStore(memoryDriver(), { mayBeNew: true });
const image = await createImage({
  target: memory,
  name: 'hello:1',
  layers: [fileURLToPath(new URL('./hello', import.meta.url))],
  platform: parsePlatform('linux/amd64'),
  config: { Entrypoint: ['/hello.sh'] },
  codec: codecByName('gzip'),
});
console.log(`made ${image.name} ${image.descriptor.digest}`);

// 2. A plan reads manifests only: what will move is known before any layer is touched.
const plan = await makePlan(memory, [image]);
console.log(`plan: ${plan.contents.size} blobs, ${plan.size} bytes`);

// 3. A tar is a driver too. Its sink can be hooked: here every record is shown before tar-stream writes it.
const sink = tarSink(await openOutput(join(folder, 'out.tar')));
const hooked = {
  ...sink,
  writeHeader(record) {
    console.log(`  ${record.type.padEnd(9)} ${String(record.size).padStart(6)}  ${record.name}`);
    return sink.writeHeader(record);
  },
};
await transfer(plan, layoutStore(tarWriter(hooked), { style: 'archive' }));

// 4. Read in place, unpacked nowhere, and copied on into a directory that skopeo and umoci understand.
const file = await openFile(join(folder, 'out.tar'));
const archive = layoutStore(await tarReader(file, { name: 'out.tar', onClose: () => file.close() }));
const directory = layoutStore(directoryDriver(join(folder, 'layout')), { mayBeNew: true });
await transfer(await makePlan(archive, [await archive.resolve('hello:1')]), directory);
await archive.close();

// 5. Every digest, size, reference and diffID.
const images = [];
for await (const found of directory.images()) images.push(found);
const report = await verifyImages(directory, images);
console.log(`verified ${report.blobs} blobs in ${folder}: ${report.problems.length} problems`);
await directory.close();
