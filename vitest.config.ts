import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';

/** Each room of test/ needs a little more than the one before (see test/README.md). `--mode long`: full sample counts. */
export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    // A night of faults takes minutes even when it is short: it is for long runs.
    exclude: [...configDefaults.exclude, ...(mode === 'long' ? [] : ['test/e2e/soak.test.ts'])],
    // Threads of jobs load the sources by Node itself: with what it has compiled once that takes half the time.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compile') },
    provide: { count: mode === 'long' ? ('full' as const) : ('bounded' as const) },
    testTimeout: mode === 'long' ? 1_800_000 : 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
    // Files take turns in a process: to load everything anew takes each of them a second.
    isolate: false,
  },
}));
