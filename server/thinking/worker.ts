/**
 * The thread of a job from inside, see thread.ts. Messages in: Asked, Told; messages out: Reply. It has a part of the processor
 * that is not asked for otherwise, like the compilers. Must stay true: between two candidates it hears what was measured meanwhile.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { type BoardModule, boardOf } from '../../boards/index.ts';
import { ok, type Result } from '../../compiler/result.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { modelHere } from '../../tuner/cost-models/index.ts';
import { groundOf, type Mind, mindHere } from '../../tuner/mind.ts';
import { policies } from '../../tuner/policies/index.ts';
import { seeded } from '../../tuner/random.ts';
import { buildWithin, type Fitting } from '../budgets.ts';
import { type BuildOptions, type Built, build } from '../build.ts';
import { type KnownOffer, selectKnown } from '../offers.ts';
import { attachedForm } from '../product.ts';
import { expectedOutputs } from '../run-network.ts';
import { roomForScratch } from '../scratch-room.ts';
import { type Transfer, transferOf } from '../transfer/learn.ts';
import type { Asked, Beginning, Folders, Made, Questions, Reply, Tellings, Thrown, Told } from './questions.ts';

/** What compilers have, too. */
const polite = 5;

/** A search on one task. */
interface Search {
  readonly mind: Mind;
  best: number;
}

class Thinking {
  private readonly b: Beginning;
  private readonly board: BoardModule;
  private readonly say: (reply: Reply) => void;
  private readonly searches = new Map<string, Search>();
  private readonly offers = new Map<string, readonly KnownOffer[]>();
  private fitting: Fitting | undefined;
  /** What candidates are thought to take before anything is measured. */
  private transfer: Transfer | undefined;

  constructor(b: Beginning, say: (reply: Reply) => void) {
    this.b = b;
    this.say = say;
    this.board = boardAs(b.board);
  }

  hear(message: Asked | Told): void {
    if (!('id' in message)) return this.told(message);
    const { id } = message;
    this.answer(message).then(
      (answer) => this.say({ kind: 'answer', id, answer }),
      (error: unknown) => this.say({ kind: 'thrown', id, error: thrown(error) }),
    );
  }

  private told(m: Told): void {
    switch (m.kind) {
      case 'search':
        return this.begin(m.t);
      case 'measured': {
        const search = this.searchOf(m.t.task);
        search.best = m.t.best;
        return search.mind.policy.tell(m.t.seen, m.t.came);
      }
      case 'offers':
        this.offers.set(m.t.task, m.t.offers);
    }
  }

  private async answer(m: Asked): Promise<ReturnType<Questions[keyof Questions]>> {
    const { prepared } = this.b;
    switch (m.kind) {
      case 'candidates': {
        const search = this.searchOf(m.q.task);
        search.best = m.q.best;
        return search.mind.policy.ask(m.q.count);
      }
      case 'propose':
        return this.searchOf(m.q.task).mind.propose(m.q.config);
      case 'vector':
        return this.searchOf(m.q.task).mind.vector(m.q.n);
      case 'expected':
        return expectedOutputs(prepared.model, m.q.input);
      case 'scratch':
        return this.scratch(m.q.ramBytes);
      case 'plain':
        return this.plain(m.q);
      case 'fastest':
        return this.fastest(m.q);
      case 'learn':
        this.transfer = transferOf(m.q);
        return this.transfer?.from ?? null;
      case 'trades':
        if (this.fitting === undefined) throw new Error('trades of a network that was not built');
        return this.fitting.trades();
    }
  }

  private searchOf(task: string): Search {
    const search = this.searches.get(task);
    if (search === undefined) throw new Error(`no search is on task ${task}`);
    return search;
  }
  private begin({ task: id, policy: name, random, scratchBytes }: Parameters<Tellings['search']>[0]): void {
    const { graph, tasks } = this.b.prepared;
    const task = tasks.find((t) => t.id === id);
    const policy = policies[name];
    if (task === undefined || policy === undefined) throw new Error(`no task ${id}, or no policy ${name}`);
    const setting = { graph, board: this.board, templates: { templates, defaultSchedule } };
    const ground = groundOf(task, setting, () => scratchBytes);
    const best = (): number => this.searchOf(id).best;
    const model = policy.model === 'with' ? modelHere() : undefined;
    const mind = mindHere(ground, policy, { random: seeded(random), best }, model, this.transfer?.opinionOf(task));
    this.searches.set(id, { mind, best: Number.POSITIVE_INFINITY });
  }

  private scratch(ramBytes: number): ReadonlyMap<string, number> {
    const { prepared, toolchain } = this.b;
    const room = roomForScratch({ ...prepared, board: this.board, toolchain, ramBytes });
    return new Map(prepared.tasks.map((task) => [task.id, room(task)]));
  }

  /** With default schedules and all of the board's memory: budgets are for what is handed out. */
  private async plain(folders: Folders): Promise<Result<Made>> {
    const { prepared, toolchain } = this.b;
    const selected = selectKnown(prepared.tasks, this.board, undefined, toolchain);
    const built = await build({ ...this.optionsOf(folders), selected });
    return built.ok ? ok(madeOf(built.value, selected)) : built;
  }
  private async fastest({ budgets, ...folders }: Parameters<Questions['fastest']>[0]): Promise<Result<Made>> {
    const fitting = await buildWithin({
      ...this.optionsOf(folders),
      budgets,
      tasks: this.b.prepared.tasks,
      known: this.offers,
      told: (why) => this.say({ kind: 'said', why }),
    });
    if (!fitting.ok) return fitting;
    this.fitting = fitting.value;
    return ok(madeOf(fitting.value.built, fitting.value.options.selected));
  }
  private optionsOf(folders: Folders): Omit<BuildOptions, 'selected'> {
    return { ...folders, graph: this.b.prepared.graph, board: this.board };
  }
}

/** The board as the daemon has it, with its code: see boardsFor and compiledBy. */
function boardAs(data: Beginning['board']): BoardModule {
  const found = boardOf(data.id);
  if (found === undefined) throw new Error(`no board is called ${data.id}`);
  return { ...(found.kind === data.kind ? found : attachedForm(found)), ...data };
}

const madeOf = (built: Built, selected: BuildOptions['selected']): Made => ({
  selected: selected.map(({ choice, offer, refused }) => ({
    choice: { words: choice.words },
    offer: offer.record === undefined ? {} : { record: offer.record },
    refused,
  })),
  outline: built.outline,
  firmware: built.firmware,
  memory: built.memory,
  arenaBytes: built.library.arenaBytes,
  flashBytes: built.flashBytes,
});

function thrown(error: unknown): Thrown {
  if (!(error instanceof Error)) return { message: String(error), stack: '' };
  const { message, stack = message } = error;
  return { message, stack, ...('code' in error && typeof error.code === 'string' && { code: error.code }) };
}

// Of this thread alone, on Linux.
if (process.platform === 'linux') setPriority(polite);
const thinking = new Thinking(workerData as Beginning, (reply) => parentPort?.postMessage(reply));
parentPort?.on('message', (message: Asked | Told) => thinking.hear(message));
