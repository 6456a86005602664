/** The log against a plain scan of all records: whatever was appended, merged, taken over and doubted, in whatever order. */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import {
  BadCursor,
  BadFilter,
  type Layer,
  type Place,
  type RecordFilter,
  type RecordSort,
  type Store,
  type TuningRecord,
} from '../../db/index.ts';
import type { FailureKey } from '../../db/log-types.ts';
import { migrate } from '../../db/migrate.ts';
import { openDatabase } from '../../db/open.ts';
import { Pages } from '../../db/pages.ts';
import { samples } from '../samples.ts';
import { clock, opened, room } from './db-helpers.ts';
import * as model from './db-log-model.ts';
import { boards, randomRecord, tasks } from './db-records.ts';
import { Random } from './random.ts';

const kinds = ['host', 'instructions'] as const;
const sorts: readonly RecordSort[] = ['at', '-at', 'cycles', '-cycles'];
const keys: readonly FailureKey[] = ['stage', 'code', 'device', 'template', 'job'];

const workloadOf = (task: string): string =>
  JSON.stringify({
    attrs: {},
    inputs: [
      { dtype: 'int8', shape: [1, tasks.indexOf(task as 't0') + 2] },
      { dtype: 'int8', shape: [] },
    ],
    op: task === 't2' ? 'add' : 'conv2d',
    outputs: [{ dtype: 'int8', shape: [1, 4] }],
  });
const world: model.World = {
  words: (task) => ({
    op: task === 't2' ? 'add' : 'conv2d',
    shape: `1x${tasks.indexOf(task as 't0') + 2}, scalar -> 1x4`,
  }),
  layers: {
    m0: [
      ['a', 't0'],
      ['b', 't1'],
      ['c', 't0'],
    ],
    m1: [['a', 't2']],
  },
};
const layersOf = (id: string): readonly Layer[] =>
  (world.layers[id] ?? []).map(([name, task], position) => ({
    position,
    name,
    task,
    workload: workloadOf(task),
    macs: 7,
  }));
/** Every other one is like its kin in all that is not its config and count: tallies of several trials. */
const alike = {
  job: 'j-a',
  task: 't0',
  board: 'host',
  kind: 'host',
  toolchain: 'gcc 12',
  flags: '',
  firmware: null,
  device: 'qemu-0',
  policy: 'random',
} as const;
const record = (r: Random) => {
  const made = { ...randomRecord(r), ...(r.int(0, 1) === 0 ? alike : {}) };
  return { ...made, workload: workloadOf(made.task) };
};

/** A log that has seen everything that may happen to one, and its records as a list. */
function randomLog(
  r: Random,
  steps: number,
  place: Place = 'memory',
): { readonly store: Store; readonly all: TuningRecord[] } {
  const store = opened(place, { mode: 'write', now: clock(r) });
  for (const id of Object.keys(world.layers)) {
    store.putModel({ id, name: `${id}.tflite`, bytes: Uint8Array.of(1) });
    store.putLayers(id, layersOf(id));
  }
  const all: TuningRecord[] = [];
  for (let step = 0; step < steps; step++) {
    const at = r.int(0, 9) < 2 ? r.int(0, all.length - 1) : -1;
    const doubted = all[at];
    const reusedFrom = r.int(0, 4) === 0 && all.length > 0 ? { reusedFrom: r.pick(all).id } : {};
    if (doubted !== undefined) {
      store.doubt(doubted.id, 'drift');
      // The first reason stays.
      all[at] = { ...doubted, doubt: doubted.doubt ?? 'drift' };
    } else if (r.int(0, 5) === 0) {
      const doubt = r.pick([null, 'from afar']);
      const foreign = { ...record(r), ...reusedFrom, id: `t-far-${step}`, at: '2026-01-01T00:00:00.042Z', doubt };
      store.mergeRecords([foreign]);
      all.push(foreign);
    } else all.push(store.addRecord({ ...record(r), ...reusedFrom }));
  }
  return { store, all };
}

function randomFilter(r: Random): RecordFilter {
  const some = <T>(key: string, value: T): Record<string, T> => (r.int(0, 6) === 0 ? { [key]: value } : {});
  const network = r.pick(['m0', 'm1', 'm2']);
  return {
    ...some('job', r.pick(['j-a', 'j-b'])),
    ...(r.int(0, 6) === 0 ? { network, ...some('layer', r.pick(['a', 'b', 'z'])) } : {}),
    ...some('task', r.pick(tasks)),
    ...some('op', r.pick(['add', 'conv2d', 'mul'])),
    ...some('shape', r.pick(['1x2, scalar -> 1x4', '1x4, scalar -> 1x4'])),
    ...some('board', r.pick(boards)),
    ...some('kind', r.pick(kinds)),
    ...some('policy', r.pick(['random', 'evolutionary'])),
    ...some('template', r.pick(['conv-gemm', 'default'])),
    ...some('status', r.pick(['ok', 'failed'] as const)),
    ...some('stage', r.pick(['compile', 'run'])),
    ...some('code', r.pick(['FAULT', 'DEADLINE'])),
    ...some('device', 'qemu-0'),
    ...some('binary', r.pick(['b0', 'b1'])),
    ...some('toolchain', r.pick(['gcc 12', 'gcc 13'])),
    ...some('cyclesMin', r.int(1, 6)),
    ...some('cyclesMax', r.int(1, 6)),
    ...some('since', r.pick(['2026-01-01T00:00:00.100Z', '2026-01-01T01:00:00.3+01:00', '2025-12-31'])),
    ...some('until', r.pick(['2026-01-01T00:00:00.100Z', '2026-01-01T00:00:00.3Z'])),
    ...some('knobs', r.pick([{ tile: 3 }, { tile: '2' }, { pack: 'x' }, { a: 0.5, tile: 1 }, { none: 1 }])),
  };
}

/** Of places as a whole: what an index of each place answers. */
const placeFilter = (r: Random): RecordFilter => ({
  kind: r.pick(kinds),
  ...r.pick([{}, { op: 'conv2d' }, { network: 'm0' }, { board: r.pick(boards) }]),
});

function pagesOf(store: Store, filter: RecordFilter, sort: RecordSort, r: Random): readonly TuningRecord[] {
  const items: TuningRecord[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = store.records(filter, r.int(1, 40), cursor, sort);
    items.push(...page.items);
    if (page.next === null) return items;
    cursor = page.next;
  }
}

test('pages under any filter in any order, and every summary, are what a plain scan says', () => {
  const r = new Random(70);
  for (let round = 0; round < samples(6, 150); round++) {
    const { store, all } = randomLog(r, 90);
    for (let i = 0; i < 25; i++) {
      const [filter, sort] = [randomFilter(r), r.pick(sorts)];
      const fitting = all.filter((x) => model.fits(x, filter, world));
      const what = JSON.stringify({ round, i, filter, sort });
      expect(pagesOf(store, filter, sort, r), what).toEqual(model.sorted(fitting, sort));
      const standing = fitting.filter((x) => model.stands(all, x));
      expect(store.log.best(filter), what).toEqual(model.best(standing, world));
      const by = r.pick(keys);
      const failures = store.log.failures(filter, by);
      expect(new Map(failures.map((row) => [row.key, row])), what).toEqual(model.failures(standing, by));
      expect(failures.map((x) => x.failed)).toEqual(failures.map((x) => x.failed).toSorted((a, b) => b - a));
    }
    compareAtPlaces(store, all, r);
    store.close();
  }
});

/** Numbers of all rows, page by page. */
function seqsOf(pages: Pages, filter: RecordFilter, sort: RecordSort, limit: () => number): readonly number[] {
  const seqs: number[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = pages.page(filter, sort, limit(), cursor);
    seqs.push(...page.seqs);
    if (page.next === null) return seqs;
    cursor = page.next;
  }
}

/** The same by a plain scan: rows are numbered in the order of appending, from 1. */
function wantedSeqs(all: readonly TuningRecord[], filter: RecordFilter, sort: RecordSort): readonly number[] {
  const fitting = all.filter((x) => model.fits(x, filter, world));
  return model.sorted(fitting, sort).map((x) => all.indexOf(x) + 1);
}

test('however much a page may cost, every row that fits comes once, in order', () => {
  const r = new Random(72);
  const dir = room();
  const { store, all } = randomLog(r, 200, { dir });
  const db = openDatabase({ dir }, 'read');
  if (!db.ok) throw new Error(db.error.detail);
  for (let i = 0; i < samples(200, 5000); i++) {
    const pages = new Pages(db.value, 'farm', {
      glanced: r.pick([0, 30, 1000]),
      few: r.pick([0, 30]),
      gathered: r.pick([0, 30, 1000]),
      lookedAt: r.int(1, 50),
    });
    const [filter, sort] = [r.pick([randomFilter, placeFilter])(r), r.pick(sorts)];
    const seqs = seqsOf(pages, filter, sort, () => r.int(1, 40));
    expect(seqs, JSON.stringify({ i, filter, sort })).toEqual(wantedSeqs(all, filter, sort));
  }
  db.value.close();
  store.close();
});

test('times are found among thousands, also where clocks went back', () => {
  const r = new Random(73);
  const dir = room();
  const store = opened({ dir });
  const plain = record(r);
  const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  const all = Array.from({ length: 4000 }, (_, i): TuningRecord => {
    const minute = i < 2100 ? i : r.int(0, 1) === 0 ? i - 1500 : i;
    return { ...plain, device: r.pick(['a', 'b']), id: `t-far-${i}`, at: at(minute), doubt: null } as TuningRecord;
  });
  store.mergeRecords(all);
  expect(store.health(at(0)).wrongSummaries).toBe(0);
  const db = openDatabase({ dir }, 'read');
  if (!db.ok) throw new Error(db.error.detail);
  for (let i = 0; i < samples(40, 600); i++) {
    const pages = new Pages(db.value, 'farm', {
      glanced: 0,
      few: 0,
      gathered: r.pick([0, 1000, 10_000]),
      lookedAt: 100,
    });
    const [since, until] = [at(r.int(-100, 4100)), at(r.int(-100, 4100))];
    const filter: RecordFilter = {
      ...r.pick([{ since }, { until }, { since, until }]),
      ...r.pick([{}, { device: 'a' }, { status: plain.status }]),
    };
    const sort = r.pick(['at', '-at'] as const);
    const seqs = seqsOf(pages, filter, sort, () => 700);
    expect(seqs, JSON.stringify({ i, filter, sort })).toEqual(wantedSeqs(all, filter, sort));
  }
  db.value.close();
  store.close();
});

/** Answers about one task on one board in one kind. */
function compareAtPlaces(store: Store, all: readonly TuningRecord[], r: Random): void {
  for (const task of tasks)
    for (const board of boards)
      for (const kind of kinds) {
        const place = { task, board, kind };
        const here = all.filter((x) => model.fits(x, place, world) && model.stands(all, x));
        const knobs = store.log.knobs(place);
        expect(new Map(knobs.map((k) => [JSON.stringify([k.template, k.knob, k.value]), k]))).toEqual(
          model.knobs(here),
        );
        const limit = r.int(1, 12);
        const points = here.map(({ id, at, cycles, template, status, job }, i) => ({
          record: id,
          n: i + 1,
          at,
          cycles,
          template,
          status,
          job,
        }));
        expect(store.log.scatter(place, limit)).toEqual(points.slice(-limit));
        compareCurve(store, here, place);
      }
}

function compareCurve(
  store: Store,
  here: readonly TuningRecord[],
  place: { task: string; board: string; kind: 'host' | 'instructions' },
): void {
  const curve = store.log.curveOfTask(place);
  const measured = here.filter((x) => x.reusedFrom === null);
  for (const { n, cycles } of curve.points) {
    // What was known after the n-th measured trial and before the next one.
    const until = measured[n] === undefined ? here.length : here.indexOf(measured[n]!);
    const counts = here.slice(0, until).flatMap((x) => x.cycles ?? []);
    expect(cycles).toBeGreaterThanOrEqual(Math.min(...counts));
    expect(counts).toContain(cycles);
  }
  const counts = here.flatMap((x) => x.cycles ?? []);
  if (counts.length > 0) expect(curve.points.at(-1)).toMatchObject({ n: measured.length, cycles: Math.min(...counts) });
  expect(curve.kind).toBe(here.length > 0 ? place.kind : null);
  const falling = curve.points.map((p) => p.cycles);
  expect(falling).toEqual(falling.toSorted((a, b) => b - a));
}

test('a curve of a job: what is known of all layers after n of its trials, whoever measured it', () => {
  const store = opened('memory');
  store.putModel({ id: 'm0', name: 'm0', bytes: Uint8Array.of(1) });
  store.putLayers('m0', layersOf('m0'));
  const settings = {
    model: 'm0',
    board: 'host',
    kind: 'host',
    policy: 'random',
    seed: 0,
    trials: 9,
    timeMs: null,
  } as const;
  const [mine, other] = [store.addJob(settings).id, store.addJob(settings).id];
  const plain = record(new Random(1));
  const add = (job: string | null, task: string, cycles: number | null, change: object = {}): string =>
    store.addRecord({
      ...plain,
      job,
      task,
      workload: workloadOf(task),
      board: 'host',
      kind: 'host',
      toolchain: 'g',
      flags: '',
      firmware: null,
      template: 't',
      status: cycles === null ? 'failed' : 'ok',
      cycles,
      stage: cycles === null ? 'run' : null,
      code: cycles === null ? 'FAULT' : null,
      detail: cycles === null ? 'x' : null,
      reusedFrom: null,
      ...change,
    } as TuningRecord).id;
  add(other, 't1', 50);
  add(other, 't1', 9, { toolchain: 'another' });
  add(mine, 't0', 100, { template: 'default' });
  add(mine, 't0', null);
  add(other, 't1', 40, { template: 'default' });
  add(mine, 't0', 90);
  add(mine, 't0', 80, { reusedFrom: 't-far-1' });
  const gone = add(mine, 't0', 10);
  add(other, 't1', 30);
  add(mine, 't1', 45);
  add(other, 't0', 1);
  // t0 is two layers, t1 is one.
  const sums = (): readonly (readonly number[])[] => store.log.curveOfJob(mine).points.map((p) => [p.n, p.cycles]);
  expect(sums()).toEqual([
    [1, 250],
    [2, 240],
    [3, 220],
    [3, 200],
    [4, 60],
    [4, 50],
    [5, 50],
  ]);
  store.doubt(gone, 'drift');
  expect(sums()).toEqual([
    [1, 250],
    [2, 240],
    [3, 220],
    [3, 200],
    [3, 190],
    [4, 190],
  ]);
  expect(store.log.curveOfJob(mine)).toMatchObject({ kind: 'host', default: 240 });
  expect(
    store.log.curveOfTask({ task: 't1', board: 'host', kind: 'host', job: mine }).points.map((p) => [p.n, p.cycles]),
  ).toEqual([
    [0, 50],
    [0, 40],
    [0, 30],
    [1, 30],
  ]);
  expect(store.log.curveOfJob('j-nobody')).toEqual({ kind: null, default: null, points: [] });
});

test('a long curve keeps its ends and at most five hundred points', () => {
  const store = opened('memory');
  const plain = record(new Random(2));
  for (let i = 0; i < 700; i++)
    store.addRecord({
      ...plain,
      task: 't0',
      workload: workloadOf('t0'),
      board: 'host',
      kind: 'host',
      status: 'ok',
      stage: null,
      code: null,
      detail: null,
      cycles: 5000 - i,
      reusedFrom: null,
    });
  const { points } = store.log.curveOfTask({ task: 't0', board: 'host', kind: 'host' });
  expect(points).toHaveLength(500);
  expect([points[0], points.at(-1)]).toMatchObject([
    { n: 1, cycles: 5000 },
    { n: 700, cycles: 4301 },
  ]);
});

test('tasks: their words, networks, counts, and the fastest where that is one place', () => {
  const r = new Random(71);
  const { store, all } = randomLog(r, 120);
  const standing = all.filter((x) => model.stands(all, x));
  const seen: unknown[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = store.log.tasks({}, 2, cursor);
    seen.push(...page.items);
    if (page.next === null) break;
    cursor = page.next;
  }
  const measured = (task: string) => standing.filter((x) => x.task === task && x.reusedFrom === null);
  expect(seen).toMatchObject(
    tasks.map((id) => ({
      id,
      ...world.words(id),
      macs: 7,
      records: measured(id).length,
      failed: measured(id).filter((x) => x.status === 'failed').length,
      best: null,
      networks: [id === 't2' ? { id: 'm1', name: 'm1.tflite' } : { id: 'm0', name: 'm0.tflite' }],
    })),
  );
  const of = (network: string) => store.log.tasks({ network }, 9).items.map((x) => x.id);
  expect([of('m0'), of('m1'), of('m2')]).toEqual([['t0', 't1'], ['t2'], []]);
  expect(store.log.tasks({ op: 'add' }, 9).items.map((x) => x.id)).toEqual(['t2']);
  const best = (board: string, kind: string) =>
    model.sorted(
      standing.filter((x) => x.task === 't0' && x.board === board && x.kind === kind),
      'cycles',
    )[0];
  const first = best('host', 'host');
  const fastest = first === undefined ? null : { record: first.id, cycles: first.cycles, board: 'host', kind: 'host' };
  expect(store.log.tasks({ board: 'host', kind: 'host' }, 1).items[0]?.best).toEqual(fastest);
  const bests = boards.flatMap((b) => kinds.flatMap((k) => best(b, k)?.id ?? []));
  expect(store.log.task('t0')?.bests.map((x) => x.record)).toEqual(bests);
  expect(store.log.task('t9')).toBeUndefined();
  expect(store.log.layerNames('t0', 'm0')).toEqual(['a', 'c']);
  expect(() => store.log.tasks({ op: 'add' }, 2, store.log.tasks({}, 2).next ?? '')).toThrow(BadCursor);
});

test('a workload from elsewhere that is no workload has no words, and does no harm', () => {
  const store = opened('memory');
  const plain = record(new Random(3));
  const odd = [
    '',
    'not json',
    '[1]',
    '5',
    '{"op":[1],"inputs":["x",3],"outputs":{"a":{"shape":{"q":1}}}}',
    '{"op":7}',
    '['.repeat(5000),
  ];
  odd.forEach((workload, i) => void store.addRecord({ ...plain, task: `odd${i}`, workload }));
  expect(store.log.tasks({}, 20).items.map((x) => x.op)).toEqual(odd.map(() => null));
});

test('a cursor belongs to its order and its knobs', () => {
  const store = opened('memory');
  const r = new Random(4);
  for (let i = 0; i < 40; i++) store.addRecord(record(r));
  const next = store.records({}, 5, undefined, 'cycles').next ?? '';
  expect(store.records({}, 5, next, 'cycles').items.length).toBeGreaterThan(0);
  for (const sort of ['at', '-at', '-cycles'] as const)
    expect(() => store.records({}, 5, next, sort)).toThrow(BadCursor);
  expect(() => store.records({ knobs: { tile: 1 } }, 5, next, 'cycles')).toThrow(BadCursor);
});

test('a layer goes with its network, a knob has a name, a time is one', () => {
  const store = opened('memory');
  for (const filter of [
    { layer: 'a' },
    { knobs: { 'a"b': 1 } },
    { knobs: { '': 1 } },
    { since: 'x' },
    { until: 'x' },
  ]) {
    expect(() => store.records(filter, 5), JSON.stringify(filter)).toThrow(BadFilter);
    expect(() => store.log.best(filter), JSON.stringify(filter)).toThrow(BadFilter);
  }
});

test('the queries use their indices', () => {
  const db = new Database(':memory:');
  migrate(db);
  const plan = (sql: string): string =>
    db
      .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((x) => x.detail)
      .join('; ');
  expect(
    plan("SELECT * FROM trials WHERE task = 't' AND board = 'b' AND kind = 'k' AND status = 'ok' ORDER BY cycles, seq"),
  ).toBe('SEARCH trials USING INDEX trials_fastest (task=? AND board=? AND kind=?)');
  expect(plan("SELECT m.seq FROM tallied y CROSS JOIN marks m ON m.tally = y.id WHERE y.job = 'j' AND m.seq > 5")).toBe(
    'SEARCH y USING INDEX tallies_of_job (job=?); SEARCH l USING INTEGER PRIMARY KEY (rowid=?); SEARCH m USING PRIMARY KEY (tally=? AND seq>?)',
  );
  expect(plan("SELECT sum(trials) FROM tallied WHERE task = 't' AND board = 'b'")).toBe(
    'SEARCH l USING COVERING INDEX lots_once (task=? AND board=?); SEARCH y USING INDEX tallies_once (lot=?)',
  );
});
