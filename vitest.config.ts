import { defineConfig } from 'vitest/config';

/** Each room of test/ needs a little more than the one before (see test/README.md). `--mode long`: full sample counts. */
export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    provide: { count: mode === 'long' ? ('full' as const) : ('bounded' as const) },
    testTimeout: mode === 'long' ? 1_800_000 : 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
    // Files take turns in a process: to load everything anew takes each of them a second.
    isolate: false,
  },
}));
