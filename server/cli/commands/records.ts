/** `microtune records`: the trials that are known, oldest first, of a daemon, a database or a file. */
import { type Command, InvalidArgumentError } from 'commander';
import { boardOf, kinds } from '../../../boards/index.ts';
import type { Client } from '../../../client/client.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { recordsToAutoTvm } from '../../../db/autotvm.ts';
import { BadFilter } from '../../../db/errors.ts';
import { recordsToCsv, recordsToJsonLines } from '../../../db/export.ts';
import { filterKeys } from '../../../db/filter.ts';
import { recordKeys } from '../../../db/record-keys.ts';
import { openRecordsFile } from '../../../db/records-file.ts';
import type { Page, RecordFilter, RecordSort, Store, TuningRecord } from '../../../db/types.ts';
import { wordsOf } from '../../offers.ts';
import { oneKind, ranked } from '../../ranking.ts';
import { askOrRead } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, instant, oneOf, type RemoteOptions, remote, whole } from '../options.ts';
import { readingStore } from '../store.ts';
import { count, table } from '../table.ts';
import { addMerge } from './records-merge.ts';

interface RecordsOptions extends CommonOptions, RemoteOptions, RecordFilter {
  readonly knob?: Readonly<Record<string, string>>;
  readonly sort: RecordSort;
  readonly limit?: number;
  readonly best?: true;
  readonly format: (typeof formats)[number];
}

const formats = ['table', 'json', 'jsonl', 'csv', 'autotvm'] as const;
const sorts = ['at', '-at', 'cycles', '-cycles'] as const satisfies readonly RecordSort[];
/** As many as the interface gives at once. */
const pageSize = 1000;

export function addRecords(program: Command, act: Act): void {
  const command = program
    .command('records')
    .description('the trials that are known, oldest first, failures included')
    .enablePositionalOptions()
    .option('--job <id>', 'of this job')
    .option('--board <board>', 'measured on this board')
    .option('--network <id>', 'of tasks that occur in this model')
    .option('--layer <name>', 'of this layer of --network')
    .option('--task <id>', 'of this task')
    .option('--op <op>', 'of tasks with this operator')
    .option('--shape <shape>', "of tasks with these operands, like '1x16 -> 1x4'")
    .option('--policy <policy>', 'proposed by this policy')
    .option('--template <template>', 'made by this template')
    .option('--knob <name=value>', 'with this setting of the template; repeatable', knobOf)
    .option('--device <device>', 'measured on this device')
    .option('--binary <hash>', 'of this machine code')
    .option('--toolchain <version>', 'made by this compiler')
    .option('--stage <stage>', 'failed at this stage')
    .option('--code <code>', 'failed with this code')
    .option('--cycles-min <n>', 'counted at least', whole(0))
    .option('--cycles-max <n>', 'counted at most', whole(0))
    .option('--status <status>', 'ok or failed', oneOf('ok', 'failed'))
    .option('--kind <kind>', `what was counted: ${kinds.join(', ')}`, oneOf(...kinds))
    .option('--since <time>', 'at or after this date or time', instant)
    .option('--until <time>', 'before this date or time', instant)
    .option('--sort <order>', `${sorts.join(', ')}; by count come only those of one --kind`, oneOf(...sorts), 'at')
    .option('--best', 'the fastest of --task on --board, one for each binary; of one --kind where there are several')
    .option('--limit <n>', 'at most so many (default: all)', whole(1))
    .option('--format <format>', formats.join(', '), oneOf(...formats), 'table');
  common(remote(command), 'microtune records --board mps2-an386 --status ok --format jsonl > records.jsonl').action(
    act(records),
  );
  addMerge(command, act);
}

async function records(io: Io, o: RecordsOptions): Shows {
  const all = await (o.best === true ? bestFor(o) : recordsFor(o));
  if (!all.ok) return all;
  return ok({ json: all.value.map(inOrder), text: textOf(all.value, io.format === 'json' ? 'json' : o.format) });
}

/** Of the file at --records, else of the daemon that runs, else of the database. */
function recordsFor(o: RecordsOptions): Promise<Result<readonly TuningRecord[]>> {
  if (o.records === 'none') return readAll(async () => ok(nothing), o);
  if (o.records !== undefined) return fromStore(openRecordsFile(o.records), o);
  return askOrRead(
    o,
    (client) => readAll(pagesOf(client, o), o),
    () => fromStore(readingStore(o.data), o),
  );
}

/** The ranking, of wherever the records are. Failures: KINDS_MIXED, and those of getting at them. */
async function bestFor({
  task,
  board,
  kind,
  limit = 10,
  ...o
}: RecordsOptions): Promise<Result<readonly TuningRecord[]>> {
  if (task === undefined || board === undefined)
    return failed('input', 'USAGE', '--best ranks the records of one --task on one --board');
  if (o.records === 'none') return ok([]);
  const request = { task, board, limit, ...(kind !== undefined && { kind }) };
  const read = (opened: Result<Store | undefined>): Result<readonly TuningRecord[]> => {
    if (!opened.ok) return opened;
    const best = opened.value === undefined ? ok([]) : ranked(opened.value, request);
    opened.value?.close();
    return best;
  };
  if (o.records !== undefined) return read(openRecordsFile(o.records));
  return askOrRead(
    o,
    async (client) => {
      const page = await client.bestRecords(request);
      return page.ok ? ok(page.value.items as readonly TuningRecord[]) : page;
    },
    async () => read(readingStore(o.data)),
  );
}

const nothing: Page<TuningRecord> = { items: [], next: null };
/** One page, from wherever they are. */
type GetPage = (limit: number, cursor: string | undefined) => Promise<Result<Page<TuningRecord>>>;

const pagesOf =
  (client: Client, o: RecordsOptions): GetPage =>
  async (limit, cursor) => {
    const query = { ...queryOf(filterOf(o)), sort: o.sort, limit, ...(cursor !== undefined && { cursor }) };
    return (await client.records(query)) as Result<Page<TuningRecord>>;
  };

async function fromStore(
  opened: Result<Store | undefined>,
  o: RecordsOptions,
): Promise<Result<readonly TuningRecord[]>> {
  if (!opened.ok) return opened;
  const { value } = opened;
  const filter = filterOf(o);
  try {
    const agree = value === undefined ? ok(undefined) : oneKind(value, filter, o.sort);
    if (!agree.ok) return agree;
    return await readAll(async (limit, cursor) => ok(value?.records(filter, limit, cursor, o.sort) ?? nothing), o);
  } catch (error) {
    if (error instanceof BadFilter) return failed('input', 'USAGE', error.message);
    throw error;
  } finally {
    value?.close();
  }
}

/** Options that are filters, and nothing else. */
const filterOf = (o: RecordsOptions): RecordFilter => ({
  ...Object.fromEntries(filterKeys.flatMap((k) => (o[k] === undefined ? [] : [[k, o[k]]]))),
  ...(o.knob !== undefined && { knobs: o.knob }),
});

/** NAME=VALUE, repeated. */
function knobOf(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('NAME=VALUE is needed.');
  return { ...before, [name]: value };
}

/** A filter as the interface takes it. */
const queryOf = ({ knobs = {}, ...plain }: RecordFilter): Readonly<Record<string, string | number>> => ({
  ...plain,
  ...Object.fromEntries(Object.entries(knobs).map(([name, value]) => [`knob.${name}`, value])),
});

async function readAll(page: GetPage, o: RecordsOptions): Promise<Result<readonly TuningRecord[]>> {
  const limit = o.limit ?? Number.POSITIVE_INFINITY;
  const all: TuningRecord[] = [];
  for (let cursor: string | undefined; all.length < limit; ) {
    const got = await page(Math.min(pageSize, limit - all.length), cursor);
    if (!got.ok) return got;
    all.push(...got.value.items);
    if (got.value.next === null) break;
    cursor = got.value.next;
  }
  return ok(all);
}

/** The daemon and the database give the same fields, each in an order of its own. */
const inOrder = (r: TuningRecord): Readonly<Record<string, unknown>> =>
  Object.fromEntries(recordKeys.map((key) => [key, r[key]]));

function textOf(all: readonly TuningRecord[], format: RecordsOptions['format']): string {
  switch (format) {
    case 'json':
      return JSON.stringify(all.map(inOrder), null, 2);
    case 'jsonl':
      return recordsToJsonLines(all).trimEnd();
    case 'csv':
      return recordsToCsv(all).trimEnd();
    case 'autotvm':
      return recordsToAutoTvm(all, (board) => boardOf(board)?.clockHz).trimEnd();
    case 'table':
      return tableOf(all);
  }
}

function statusOf(r: TuningRecord): string {
  if (r.doubt !== null) return 'doubted';
  if (r.status === 'failed') return `${r.stage}: ${r.code}`;
  return r.reusedFrom === null ? 'ok' : `as ${r.reusedFrom}`;
}

const tableOf = (all: readonly TuningRecord[]): string =>
  table(
    ['record', 'at', 'board', 'task', 'policy', 'status', '>count', 'of', 'schedule'],
    all.map((r) => [r.id, r.at, r.board, r.task, r.policy, statusOf(r), count(r.cycles), r.kind, wordsOf(r.config)]),
  );
