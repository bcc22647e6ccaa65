import type { ImageStore } from '../image/store.ts';
import { archiveKind } from '../layout/archive-kind.ts';
import { dockerStore } from '../layout/docker/source.ts';
import type { DockerStoreOptions } from '../layout/docker/source.ts';
import type { ImageDriver } from '../layout/driver.ts';
import { layoutStore } from './layout.ts';

/**
 * The images of an archive of either kind: an OCI image layout, or a docker archive where there is no `oci-layout`.
 * INVALID_LAYOUT, with a hint at what there is instead, when it is neither.
 */
export async function readArchive(driver: ImageDriver, options: DockerStoreOptions = {}): Promise<ImageStore> {
  return (await archiveKind(driver)) === 'oci' ? layoutStore(driver) : dockerStore(driver, options);
}
