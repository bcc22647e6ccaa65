import { transformedSink } from '../../bytes/channel.ts';
import type { ByteSink, ByteStream } from '../../bytes/types.ts';

/**
 * Passes an archive on while it is taken apart, so that it can go to its place in the same moment. The metadata go into
 * `metadata`, which is committed before the stream ends and given up where it does not get to its end.
 *
 * @param takeApart such as `(tar) => disassemble(tar, payloads)`
 */
export async function* disassembling(tar: ByteStream, takeApart: (tar: ByteStream) => ByteStream, metadata: ByteSink): ByteStream {
  const aside = transformedSink(metadata, takeApart);
  let done = false;
  try {
    for await (const run of tar) {
      await aside.write(run);
      yield run;
    }
    await aside.commit();
    done = true;
  } catch (error) {
    done = true;
    await aside.abort(error);
    throw error;
  } finally {
    if (!done) await aside.abort(new Error('the archive was not read to its end'));
  }
}
