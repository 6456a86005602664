/** The thread of a job: it comes to the same as the code does here, and what is thrown there is thrown here. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type BoardModule, boardOf } from '../../boards/index.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { build } from '../../server/build.ts';
import { selectKnown, toolchainOf } from '../../server/offers.ts';
import { expectedOutputs, randomInput } from '../../server/run-network.ts';
import { dataOf, Thread } from '../../server/thinking/thread.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import { modelHere } from '../../tuner/cost-models/index.ts';
import { groundOf, type Mind, mindHere } from '../../tuner/mind.ts';
import { policies } from '../../tuner/policies/index.ts';
import { seeded } from '../../tuner/random.ts';
import { unwrap } from '../golden-run.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const dir = mkdtempSync(join(tmpdir(), 'mt-thinking-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Networks are built for the one; of the other's candidates something is known before they are compiled. */
const [pc, nucleo] = [boardNamed('host'), boardNamed('nucleo-l4r5zi')];
function boardNamed(id: string): BoardModule {
  const found = boardOf(id);
  if (found === undefined) throw new Error(`no board ${id}`);
  return found;
}
const graph = randomNode('conv2d', new Random(5));
const tasks = tasksOf(graph, { rounding: 'double' });
const [first] = tasks;
if (first === undefined) throw new Error('no task');
const task = first;
const toolchain = toolchainOf(pc, unwrap(await toolchainVersion(pc.target)));
const begun = (board: BoardModule): Thread =>
  new Thread(
    { prepared: { name: 'one', model: graph, graph, tasks }, board: dataOf(board), toolchain },
    () => undefined,
  );

const scratchBytes = 2 ** 16;
/** What a search gets to see: batches of which the third makes nothing better. */
async function searched(mindOf: (best: () => number) => Mind): Promise<unknown> {
  let best = Number.POSITIVE_INFINITY;
  const mind = mindOf(() => best);
  const asked: unknown[] = [await mind.vector(7)];
  for (let batch = 0; batch < 5; batch++) {
    for (const candidate of await mind.policy.ask(4)) {
      asked.push(candidate);
      const cycles = Math.round(candidate.cycles.estimate / (1 + (candidate.kernel.source.length % 7)));
      if (batch !== 2) best = Math.min(best, cycles);
      mind.policy.tell(candidate, cycles % 5 === 0 ? { status: 'failed' } : { status: 'ok', cycles });
    }
  }
  asked.push(await mind.propose({ template: 'literal', version: 1, schedule: { algorithm: 'none', steps: [] } }));
  return asked;
}

test('a search in the thread is the search here: candidates, their text and features, in the same order', async () => {
  const thread = begun(nucleo);
  try {
    const there = await searched((best) => thread.minds('guided')({ task, random: seeded(3), scratchBytes, best }));
    const here = await searched((best) => {
      const ground = groundOf(
        task,
        { graph, board: nucleo, templates: { templates, defaultSchedule } },
        () => scratchBytes,
      );
      const guided = policies.guided;
      if (guided === undefined) throw new Error('no policy');
      return mindHere(ground, guided, { random: seeded(3), best }, modelHere());
    });
    expect((there as unknown[]).length).toBeGreaterThan(10);
    expect(there).toEqual(here);
  } finally {
    await thread.close();
  }
});

test('a network of the thread is the network here; what is thrown there is thrown here; then the thread is gone', async () => {
  const thread = begun(pc);
  const folders = { name: 'one', outDir: join(dir, 'there'), cacheDir: join(dir, 'cache') };
  try {
    await expect(thread.ask('trades', {})).rejects.toThrow('trades of a network that was not built');
    const there = unwrap(await thread.ask('plain', folders));
    const selected = selectKnown(tasks, pc, undefined, toolchain);
    const here = unwrap(await build({ ...folders, outDir: join(dir, 'here'), graph, board: pc, selected }));
    expect(there.outline).toEqual(here.outline);
    expect([there.memory, there.arenaBytes]).toEqual([here.memory, here.library.arenaBytes]);
    expect(there.selected.map((s) => s.choice.words)).toEqual(selected.map((s) => s.choice.words));
    const small = begun({ ...pc, flashBytes: 10 });
    const refused = await small.ask('plain', folders).finally(() => small.close());
    expect(refused).toMatchObject({
      error: { code: 'MODEL_TOO_BIG', detail: expect.stringContaining('host has 10;') },
    });
    const input = randomInput(graph, 1);
    expect(Buffer.from(await thread.ask('expected', { input }))).toEqual(Buffer.from(expectedOutputs(graph, input)));
    const nowhere = thread.ask('plain', { ...folders, cacheDir: join('/dev/null', 'cache') });
    await expect(nowhere).rejects.toMatchObject({ message: expect.stringContaining('/dev/null'), code: 'EEXIST' });
  } finally {
    await thread.close();
  }
  await expect(thread.ask('plain', folders)).rejects.toThrow('ended');
});
