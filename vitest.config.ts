import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The tests run the TypeScript sources; nothing has to be built first.
  resolve: { conditions: ['@oci-tar/source', 'node'] },
  ssr: { resolve: { conditions: ['@oci-tar/source', 'node'], externalConditions: ['node'] } },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
  },
});
