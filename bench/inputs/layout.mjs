import { createHash } from 'node:crypto'
import { createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Transform, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

export const PLATFORM = { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' }

/** A stream's pass-through that counts and digests what goes by. */
function digesting() {
  const hash = createHash('sha256')
  let size = 0
  const stream = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  return { stream, result: () => ({ digest: `sha256:${hash.digest('hex')}`, size }) }
}

/** Writes an OCI image layout directory: blobs first, `index.json` at the end. */
export class LayoutWriter {
  constructor(directory) {
    this.directory = directory
    this.blobs = 0
    this.size = 0
    mkdirSync(join(directory, 'blobs/sha256'), { recursive: true })
  }

  path(digest) {
    return join(this.directory, 'blobs/sha256', digest.slice('sha256:'.length))
  }

  #count(descriptor) {
    this.blobs += 1
    this.size += descriptor.size
    return descriptor
  }

  /** Writes a small blob. */
  put(bytes, mediaType) {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    writeFileSync(this.path(digest), bytes)
    return this.#count({ mediaType, digest, size: bytes.length })
  }

  json(value) {
    return this.put(Buffer.from(JSON.stringify(value)), value.mediaType ?? MEDIA.config)
  }

  /**
   * Writes a layer of any size from its tar.
   * @param {Iterable<Buffer> | AsyncIterable<Buffer>} tar
   * @param {{ gzip: boolean }} options
   */
  async layer(tar, { gzip }) {
    const inner = digesting()
    const outer = digesting()
    const part = join(this.directory, 'part')
    const stages = [Readable.from(tar, { objectMode: true }), inner.stream]
    if (gzip) stages.push(createGzip({ chunkSize: 1 << 18 }))
    await pipeline(...stages, outer.stream, createWriteStream(part))
    const descriptor = { mediaType: gzip ? MEDIA.gzip : MEDIA.tar, ...outer.result() }
    renameSync(part, this.path(descriptor.digest))
    return { descriptor: this.#count(descriptor), diffId: inner.result().digest }
  }

  /** Writes config and manifest over layers as `layer` returns them. */
  image(layers) {
    const config = this.json({
      ...PLATFORM,
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    })
    return this.json({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config,
      layers: layers.map((layer) => layer.descriptor),
    })
  }

  index(manifests) {
    return this.json({ schemaVersion: 2, mediaType: MEDIA.index, manifests })
  }

  /** Names the one root and completes the layout. */
  finish(root, reference) {
    const annotations = {
      'io.containerd.image.name': reference,
      'org.opencontainers.image.ref.name': reference,
    }
    writeFileSync(join(this.directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    const index = { schemaVersion: 2, mediaType: MEDIA.index, manifests: [{ ...root, annotations }] }
    writeFileSync(join(this.directory, 'index.json'), JSON.stringify(index))
    return { reference, digest: root.digest, blobs: this.blobs, size: this.size }
  }
}
