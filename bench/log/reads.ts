/** What people and pages ask a log, as requests: every route of docs/log.md, every filter, the orders, the pages far behind. */
import type { Store } from '../../db/index.ts';
import { builtInQueries } from '../../server/query/saved.ts';

export interface Read {
  readonly name: string;
  readonly path: string;
  /** Of a POST. */
  readonly body?: object;
}

/** Reads of this log: names of tasks, jobs and devices are taken from it, those that have most trials. */
export function readsOf(store: Store): readonly Read[] {
  const groups = store.log.best({});
  const top = groups.toSorted((a, b) => b.trials - a.trials)[0];
  const [job] = store.log.failures({}, 'job').toSorted((a, b) => b.trials - a.trials);
  const device = store.log.failures({}, 'device').toSorted((a, b) => b.trials - a.trials)[0]?.key;
  const task = store.log.task(top?.task ?? '');
  if (top === undefined || task === undefined) throw new Error('there is nothing to ask for');
  const { items } = store.records({ job: job?.key ?? '', status: 'ok' }, 1);
  const [record] = items;
  const middle = store.records({}, 1, undefined, '-at').items[0]?.at ?? '';
  const half = new Date((Date.parse(store.records({}, 1).items[0]?.at ?? '') + Date.parse(middle)) / 2).toISOString();
  const network = task.networks[0]?.id ?? '';
  const layer = store.log.layerNames(task.id, network)[0] ?? '';
  const place = query({ task: top.task, board: top.board, kind: top.kind });
  const records: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'first page': {},
    'last page': { sort: '-at' },
    'of a job': { job: job?.key ?? '' },
    'of a network': { network },
    'of a layer': { network, layer },
    'of a task': { task: top.task },
    'of an operator': { op: task.op ?? '' },
    'of a shape': { shape: task.shape ?? '' },
    'of a board': { board: top.board },
    'of a kind': { kind: top.kind },
    'of a policy': { policy: 'random' },
    'of a template': { template: record?.template ?? '' },
    'that failed': { status: 'failed' },
    'of a stage': { stage: 'load' },
    'of a code': { code: 'FAULT' },
    'of a device': { device: device ?? '' },
    'of a binary': { binary: record?.binary ?? '' },
    'of a compiler': { toolchain: record?.toolchain ?? '' },
    'in a range of counts': { cyclesMin: '1000', cyclesMax: '20000' },
    'of the latest hour': { since: new Date(Date.parse(middle) - 3_600_000).toISOString() },
    'before a time': { until: half, sort: '-at' },
    'with a knob': { task: top.task, 'knob.unroll': '4' },
    'with a knob, of all tasks': { 'knob.unroll': '8', 'knob.code': 'ram' },
    'with a knob that none has': { 'knob.unroll': '3' },
    'fastest of a task': { task: top.task, board: top.board, kind: top.kind, sort: 'cycles' },
    'slowest of a board': { board: top.board, kind: top.kind, sort: '-cycles' },
    'fastest of a kind': { kind: 'model', sort: 'cycles' },
    'few of many': { board: top.board, device: device ?? '', policy: 'random', code: 'DEADLINE', op: task.op ?? '' },
    'none of many': { board: top.board, code: 'DEADLINE', template: 'none' },
    'as JSON lines, 1000': { task: top.task, format: 'jsonl', limit: '1000' },
  };
  return [
    ...Object.entries(records).map(([name, q]) => ({ name: `records ${name}`, path: `/v1/records?${query(q)}` })),
    { name: 'best by task, board and kind', path: '/v1/stats/best' },
    { name: 'best of a network', path: `/v1/stats/best?${query({ network })}` },
    { name: 'best of a job', path: `/v1/stats/best?${query({ job: job?.key ?? '' })}` },
    { name: 'best since a time', path: `/v1/stats/best?${query({ since: half, task: top.task })}` },
    ...['stage', 'code', 'device', 'template', 'job'].map((by) => ({
      name: `failures by ${by}`,
      path: `/v1/stats/failures?by=${by}`,
    })),
    { name: 'failures of a board by device', path: `/v1/stats/failures?by=device&${query({ board: top.board })}` },
    { name: 'curve of a job', path: `/v1/stats/curve?${query({ job: job?.key ?? '' })}` },
    { name: 'curve of a task', path: `/v1/stats/curve?${place}` },
    { name: 'curve of a task and policy', path: `/v1/stats/curve?${place}&policy=random` },
    { name: 'knobs', path: `/v1/stats/knobs?${place}` },
    { name: 'scatter, 2000 points', path: `/v1/stats/scatter?${place}&limit=2000` },
    { name: 'scatter', path: `/v1/stats/scatter?${place}` },
    { name: 'tasks', path: '/v1/tasks' },
    { name: 'tasks of a network', path: `/v1/tasks?${query({ network })}` },
    { name: 'a task', path: `/v1/tasks/${top.task}` },
    { name: 'jobs', path: '/v1/jobs' },
    ...builtInQueries.map(({ name, sql }) => ({ name: `query ${name}`, path: '/v1/query', body: { sql } })),
  ];
}

const query = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString();
