/**
 * How true are the twins' cycles? `npm run bench:fidelity [-- --only rules|networks|text]` measures every rule of the timing model
 * and our networks on every twin, writes bench/results/fidelity.json and from it docs/fidelity.md.
 * `-- --elf FILE --board B` runs another program for a twin's machine under that twin's model instead: it marks what is
 * counted and ends itself as bench/fidelity/program.ts says.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { modelsDir } from '../test/models.ts';
import { type Fidelity, measureAllRules, measureNetworks } from './fidelity/measure.ts';
import { countProgram } from './fidelity/program.ts';
import { fidelityText } from './fidelity/text.ts';
import { publishedFigures } from './networks/published.ts';
import { resultsDir } from './session.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, elf: { type: 'string' }, board: { type: 'string', default: 'nucleo-l4r5zi' } },
});
const kept = join(resultsDir, 'fidelity.json');

/** Measures what is asked for and can be measured here, and keeps it; the rest stays as it was. */
async function report(): Promise<void> {
  const wanted = (part: 'rules' | 'networks'): boolean => values.only === undefined || values.only === part;
  let found = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Fidelity) : { rules: {}, networks: [] };
  const keep = (more: Partial<Fidelity>): void => {
    found = { ...found, ...more };
    writeFileSync(kept, `${JSON.stringify(found, null, 2)}\n`);
  };
  if (wanted('rules')) keep({ rules: await measureAllRules() });
  if (wanted('networks') && existsSync(modelsDir)) keep({ networks: await measureNetworks(modelsDir) });
  writeFileSync(resolve(import.meta.dirname, '../docs/fidelity.md'), fidelityText(found, publishedFigures()));
}

if (values.elf === undefined) await report();
else console.log(JSON.stringify(await countProgram(values.board, values.elf), null, 2));
