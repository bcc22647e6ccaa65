import { editImageConfig, formatPlatform } from '@oci-tar/core';
import type { ConfigChanges, EditReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { platformOptions, platformsOf, textOption, textsOption } from '../options.ts';
import { displayName, imageJson } from '../outcome.ts';
import { openStore } from '../places.ts';
import { commandWords, createdSeconds, pairs, portOf } from '../values.ts';

export const command = defineCommand({
  spec: '<image> [new-name]',
  words: { image: 'An image in the local store', 'new-name': 'The name of the new image; without it the old name moves' },
  options: {
    env: textsOption('NAME=VALUE in the environment (repeatable)'),
    'env-rm': textsOption('A variable that goes (repeatable)'),
    entrypoint: textsOption('The program to run: a word, or a JSON array of words; [] for none'),
    cmd: textsOption('Its default arguments: a word, or a JSON array of words; [] for none'),
    label: textsOption('KEY=VALUE in the config (repeatable)'),
    'label-rm': textsOption('A label that goes (repeatable)'),
    annotation: textsOption('KEY=VALUE on the manifest (repeatable)'),
    'annotation-rm': textsOption('An annotation that goes (repeatable)'),
    user: textOption("The user, or user:group, that the program runs as; '' for none"),
    workdir: textOption("The directory that the program starts in; '' for none"),
    expose: textsOption('A port such as 80 or 53/udp (repeatable)'),
    'expose-rm': textsOption('A port that goes (repeatable)'),
    author: textOption('Who made the image'),
    created: textOption('When: RFC 3339 or seconds since 1970; by default as it was'),
    ...platformOptions,
  },
  examples: [
    ['oci-tar config hello:1 --env LANG=C --label team=blue', 'changes hello:1'],
    ['oci-tar config hello:1 hello:2 --entrypoint \'["/hello.sh", "-v"]\'', 'makes hello:2 of it'],
    ['oci-tar config hello:1 --user 1000 --platform linux/arm64', 'one platform of several'],
  ],
  remarks: 'Layers stay as they are, and so does all of the config that is not named. The history gets an entry. Of an image for several platforms all are changed, unless --platform says which.',
  async run(words, options, context) {
    const [reference = '', name] = words;
    const changes = changesOf(options, context);
    if (Object.keys(changes).length === 0) throw new UsageError('nothing to change', 'See oci-tar help config.');
    const store = await openStore(context);
    const report = await editImageConfig({ store, reference, ...(name === undefined ? {} : { name }), changes, ...platformsOf(options), signal: context.signal }).finally(() => store.close());
    if (report.from.digest === report.image.descriptor.digest) note(context, 'Nothing changed: the image is like that already.');
    await print(context, { json: reportJson(report), text: reportText(report), names: [report.image.descriptor.digest] });
  },
});

interface ChangeValues {
  readonly env: readonly string[] | undefined;
  readonly 'env-rm': readonly string[] | undefined;
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly label: readonly string[] | undefined;
  readonly 'label-rm': readonly string[] | undefined;
  readonly annotation: readonly string[] | undefined;
  readonly 'annotation-rm': readonly string[] | undefined;
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly expose: readonly string[] | undefined;
  readonly 'expose-rm': readonly string[] | undefined;
  readonly author: string | undefined;
  readonly created: string | undefined;
}

function changesOf(given: ChangeValues, { io }: Context): ConfigChanges {
  const { env, entrypoint, cmd, label, annotation, user, workdir, expose, author, created } = given;
  return {
    ...(env === undefined ? {} : { env: pairs(env, '--env') }),
    ...(given['env-rm'] === undefined ? {} : { envRemoved: given['env-rm'] }),
    ...(entrypoint === undefined ? {} : { entrypoint: commandWords(entrypoint, '--entrypoint') }),
    ...(cmd === undefined ? {} : { cmd: commandWords(cmd, '--cmd') }),
    ...(label === undefined ? {} : { labels: pairs(label, '--label') }),
    ...(given['label-rm'] === undefined ? {} : { labelsRemoved: given['label-rm'] }),
    ...(annotation === undefined ? {} : { annotations: pairs(annotation, '--annotation') }),
    ...(given['annotation-rm'] === undefined ? {} : { annotationsRemoved: given['annotation-rm'] }),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workdir }),
    ...(expose === undefined ? {} : { expose: expose.map(portOf) }),
    ...(given['expose-rm'] === undefined ? {} : { exposeRemoved: given['expose-rm'].map(portOf) }),
    ...(author === undefined ? {} : { author }),
    ...(created === undefined ? {} : { created: new Date(createdSeconds(created, io.env) * 1000).toISOString().replace('.000Z', 'Z') }),
  };
}

function reportJson({ image, from, manifests }: EditReport): object {
  return {
    ...imageJson(image),
    from: from.digest,
    manifests: manifests.map(({ platform, from, to }) => ({ platform: formatPlatform(platform), from: from.digest, digest: to.digest })),
  };
}

function reportText({ image, from, manifests }: EditReport): string {
  const head = `${displayName(image)}  ${from.digest} -> ${image.descriptor.digest}\n`;
  if (manifests.length < 2 && manifests[0]?.from.digest === from.digest) return head;
  return head + manifests.map(({ platform, from, to }) => `  ${formatPlatform(platform)}  ${from.digest} -> ${to.digest}\n`).join('');
}
