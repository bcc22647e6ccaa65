/**
 * OCI images as files: export, import, copy, verify and create them, without a daemon.
 *
 * The verbs of most uses come first; below them what they are made of: places (`ImageStore`), media (`ImageDriver`),
 * plans, the nouns of the OCI image-spec, and bytes.
 */
export * from './errors.ts';

export { exportImages, exportedImages } from './verbs/export.ts';
export type { ExportRequest } from './verbs/export.ts';
export { importImages, importStream } from './verbs/import.ts';
export type { ImportReport, ImportRequest } from './verbs/import.ts';
export { importedImages } from './verbs/import-names.ts';
export type { ImportNaming, ImportSelection, SkippedImage } from './verbs/import-names.ts';
export { copyImage, onlyImage } from './verbs/copy.ts';
export type { CopyRequest } from './verbs/copy.ts';
export { createImage } from './verbs/create.ts';
export type { CreateRequest } from './verbs/create.ts';
export { removeImage, tagImage } from './verbs/edit.ts';
export { editImageConfig } from './verbs/edit-config.ts';
export type { EditConfigRequest, EditReport } from './verbs/edit-config.ts';
export { appendToIndex, createIndex, removeFromIndex } from './verbs/index-image.ts';
export type { IndexRemoval, IndexReport, IndexRequest } from './verbs/index-image.ts';
export { pruneStore } from './verbs/prune.ts';

export type { ConfigChanges } from './edit/config.ts';
export { rewriteImage } from './edit/rewrite.ts';
export type { EditableImage, ImageEdit, RewriteOptions, Rewritten, RewrittenManifest } from './edit/rewrite.ts';
export type { MoveOptions, MoveReport } from './verbs/options.ts';

export { assertVerified, verifyImages } from './image/verify.ts';
export type { VerifyOptions, VerifyProblem, VerifyReport } from './image/verify.ts';
export type { UnreferencedReport } from './image/verify-unreferenced.ts';
export { checkConfigs } from './image/check.ts';
export { preflight } from './image/preflight.ts';
export type { CorruptBlob, PreflightCount, PreflightImage, PreflightOptions, PreflightPart, PreflightReport } from './image/preflight.ts';
export { contentOf, makePlan } from './image/make-plan.ts';
export type { PlanOptions } from './image/make-plan.ts';
export type { PlatformChoice } from './image/platform-choice.ts';
export { archiveOrder, pushAll, transfer } from './image/push.ts';
export type { CopyEvent, PushOptions } from './image/push.ts';
export { openBlob, readBlob, readDocument } from './image/read.ts';
export { defaultReferrerLimits, isListedReferrer, referrerTrees } from './image/referrers.ts';
export type { ReferrerLimits, ReferrerNode, ReferrerTreeOptions } from './image/referrers.ts';
export type * from './image/plan.ts';
export type * from './image/store.ts';

export { archiveTarget, openArchive } from './stores/archive.ts';
export { readArchive } from './stores/read-archive.ts';
export type { ArchiveTargetOptions, OpenArchiveOptions } from './stores/archive.ts';
export { layoutStore } from './stores/layout.ts';
export type { LayoutStoreOptions } from './stores/layout.ts';
export { parseLocation } from './stores/location.ts';
export type { Location } from './stores/location.ts';
export { dockerStore } from './layout/docker/source.ts';
export { writtenOf as checkDockerArchive } from './layout/docker/written.ts';
export type { DockerStoreOptions } from './layout/docker/source.ts';
export { localStore, openDirectory, openSource, openTarget } from './stores/open.ts';
export type { OpenOptions } from './stores/open.ts';

export { directoryDriver } from './drivers/directory.ts';
export { memoryDriver } from './drivers/memory.ts';
export { tarReader } from './drivers/tar-reader.ts';
export type { TarReaderOptions } from './drivers/tar-reader.ts';
export { tarSink } from './drivers/tar-sink.ts';
export type { TarRecord, TarSink } from './drivers/tar-sink.ts';
export { tarWriter } from './drivers/tar-writer.ts';
export type * from './layout/driver.ts';
export type { NameStyle } from './layout/names.ts';

export { codecByName, codecForMediaType, codecs, decompressed, detectCodec } from './compression/codecs.ts';
export type * from './compression/codec.ts';

export * from './spec/annotation.ts';
export type * from './spec/config.ts';
export type * from './spec/descriptor.ts';
export * from './spec/digest.ts';
export type * from './spec/image-index.ts';
export type { JsonObject, JsonValue } from './spec/json.ts';
export * from './spec/limits.ts';
export type * from './spec/manifest.ts';
export * from './spec/media-type.ts';
export * from './spec/platform-match.ts';
export * from './spec/platform.ts';
export * from './spec/reference.ts';
export { parseConfig, platformOf } from './spec/config.ts';
export { parseIndex } from './spec/image-index.ts';
export { parseJson, stringifyJson } from './spec/json.ts';
export { parseManifest } from './spec/manifest.ts';

export { Verifier, digestBytes, digestStream, verified } from './bytes/digest.ts';
export type { Expected } from './bytes/digest.ts';
export { bytesSource, collect, readSource, sliceSource } from './bytes/source.ts';
export { abortable, bufferedSink, coalesced, counted } from './bytes/stream.ts';
export type * from './bytes/types.ts';
export { fileSource, openFile } from '#runtime/files';
export { openOutput } from '#runtime/output';
