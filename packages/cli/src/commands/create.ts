import { codecByName, createImage, formatPlatform, parsePlatform } from '@oci-tar/core';
import type { RuntimeConfig } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import { UsageError } from '../failure.ts';
import { layersOf } from '../layer-words.ts';
import { compressOptions, hostPlatform, levelOf, textOption, textsOption } from '../options.ts';
import { displayName, imageJson } from '../outcome.ts';
import { openStore } from '../places.ts';
import { commandWords, createdSeconds, portOf, pairs } from '../values.ts';

export const command = defineCommand({
  spec: '<name>',
  words: { name: 'The new image, in the local store; where the name is taken, it moves' },
  options: {
    layer: textsOption('A directory, a tar file (plain, gzip or zstd), or - for a tar on standard input; the lowest layer first (repeatable)'),
    entrypoint: textsOption('The program to run: a word, or a JSON array of words'),
    cmd: textsOption('Its default arguments: a word, or a JSON array of words'),
    env: textsOption('NAME=VALUE in the environment (repeatable)'),
    label: textsOption('KEY=VALUE in the config (repeatable)'),
    annotation: textsOption('KEY=VALUE on the manifest (repeatable)'),
    platform: textOption('os/architecture[/variant]; by default linux on the architecture of this machine'),
    user: textOption('The user, or user:group, that the program runs as'),
    workdir: textOption('The directory that the program starts in'),
    expose: textsOption('A port such as 80 or 53/udp (repeatable)'),
    volume: textsOption('A path for data that outlives the container (repeatable)'),
    'stop-signal': textOption('The signal that ends the program, such as SIGTERM'),
    author: textOption('Who made the image'),
    created: textOption('RFC 3339 or seconds since 1970; no file of a directory is given a later time. By default SOURCE_DATE_EPOCH, or else 0'),
    ...compressOptions,
    compress: { ...compressOptions.compress, describe: 'How layers are compressed that are not yet: gzip (default), zstd or none' },
  },
  examples: [
    ['oci-tar create hello:1 --layer rootfs --entrypoint /hello.sh', 'an image out of one directory'],
    [`oci-tar create app:2 --layer base.tar --layer app --entrypoint '["node", "/app.js"]' --env PORT=80 --expose 80`, 'two layers and a config'],
    ['oci-tar create hello:1 --layer rootfs --platform linux/arm64 --label team=blue', 'for another platform'],
  ],
  remarks: 'The same files give the same image: entries are sorted, belong to 0:0 and are no younger than --created. With --compress none the digest is the same on every machine; compressors differ between versions.',
  async run(words, options, context) {
    const [name = ''] = words;
    const given = options.layer ?? [];
    if (given.length === 0) throw new UsageError('an image needs at least one layer', 'Add --layer DIRECTORY or --layer FILE.tar.');
    const layers = layersOf(given, context);
    const platform = parsePlatform(options.platform ?? formatPlatform(hostPlatform()), hostPlatform());
    const codec = codecByName(options.compress ?? 'gzip');
    if (codec.name === 'none' && options.level !== undefined) throw new UsageError('--level says how hard to compress, but --compress is none');
    const store = await openStore(context);
    context.progress.start('creating');
    const image = await createImage({
      target: store,
      name,
      layers,
      platform,
      config: configOf(options),
      created: createdSeconds(options.created, context.io.env),
      codec,
      ...levelOf(options),
      ...(options.annotation === undefined ? {} : { annotations: pairs(options.annotation, '--annotation') }),
      ...(options.author === undefined ? {} : { author: options.author }),
      signal: context.signal,
      onRead: (bytes) => context.progress.add(bytes),
      onSkip: ({ path, why }) => note(context, `left out: ${path} (${why})`),
    }).finally(() => store.close());
    await print(context, {
      json: { ...imageJson(image), platform: formatPlatform(platform) },
      text: `created ${displayName(image)}  ${image.descriptor.digest}  ${formatPlatform(platform)}\n`,
      names: [image.descriptor.digest],
    });
  },
});

interface ConfigValues {
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly env: readonly string[] | undefined;
  readonly label: readonly string[] | undefined;
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly expose: readonly string[] | undefined;
  readonly volume: readonly string[] | undefined;
  readonly 'stop-signal': string | undefined;
}

function configOf({ entrypoint, cmd, env, label, user, workdir, expose, volume, 'stop-signal': stopSignal }: ConfigValues): RuntimeConfig {
  return {
    ...(user === undefined ? {} : { User: user }),
    ...(expose === undefined ? {} : { ExposedPorts: setOf(expose.map(portOf)) }),
    // Checked as pairs, kept as they are written.
    ...(env === undefined ? {} : { Env: Object.entries(pairs(env, '--env')).map(([key, value]) => `${key}=${value}`) }),
    ...(entrypoint === undefined ? {} : { Entrypoint: commandWords(entrypoint, '--entrypoint') }),
    ...(cmd === undefined ? {} : { Cmd: commandWords(cmd, '--cmd') }),
    ...(volume === undefined ? {} : { Volumes: setOf(volume) }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    ...(label === undefined ? {} : { Labels: pairs(label, '--label') }),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
  };
}

/** Go's way to write a set in JSON. */
function setOf(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
