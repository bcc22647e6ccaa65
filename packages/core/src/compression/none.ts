import type { Codec } from './codec.ts';
import { checkLimit, limited } from './limits.ts';

/** No compression: bytes pass as they are. */
export const none: Codec = {
  name: 'none',
  suffix: '',
  detect: () => true,
  compress: (bytes) => bytes,
  decompress: (bytes, { limit } = {}) => limited(bytes, checkLimit(limit)),
};
