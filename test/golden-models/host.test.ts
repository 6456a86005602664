/** The MLPerf Tiny networks as C on the PC: all nine golden vectors, with default schedules and with drawn ones. */
import { expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';

for (const name of ['kws', 'ic', 'vww', 'ad'] as const) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name} with default schedules`, async () => {
    if (model === undefined) return;
    const { built, stackBytes } = await runGolden(model, host, { passes: 'all', schedules: 'default' });
    // The watermark sees the server's table function around the network's run as well.
    expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 64);
  });
}

for (const name of ['kws', 'ic', 'vww', 'ad'].slice(0, samples(1, 4)) as readonly ('kws' | 'ic' | 'vww' | 'ad')[]) {
  const model = goldenModel(name);
  test.skipIf(model === undefined)(`${name} with drawn schedules`, async () => {
    for (let seed = 1; model !== undefined && seed <= samples(1, 5); seed++)
      await runGolden(model, host, { passes: 'all', schedules: { seed } });
  });
}
