import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The tests run the TypeScript sources; nothing has to be built first.
  resolve: { conditions: ['@oci-tar/source', 'node'] },
  ssr: { resolve: { conditions: ['@oci-tar/source', 'node'], externalConditions: ['node'] } },
  test: {
    include: ['test/**/*.test.ts'],
    // A machine with other work to do may be several times slower than the one on which these were written.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
