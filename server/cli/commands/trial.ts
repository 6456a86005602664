/** `microtune trial`: one trial whole, of the daemon: its C, its machine code with cycles, and once more on a device. */
import type { Command } from 'commander';
import { failed, ok } from '../../../compiler/result.ts';
import type { ReplayBody, TrialBody } from '../../schemas/index.ts';
import { neededDaemon } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, type RemoteOptions, remote } from '../options.ts';
import { count, table, unit } from '../table.ts';

interface TrialOptions extends CommonOptions, RemoteOptions {
  readonly c?: true;
  readonly asm?: true;
  readonly replay?: true;
}

export function addTrial(program: Command, act: Act): void {
  const command = program
    .command('trial')
    .description('show everything about one trial; needs a daemon')
    .argument('<id>', 'of the record')
    .option('--c', 'only its C')
    .option('--asm', 'only its machine code, on a twin with counts and cycles')
    .option('--replay', 'measure it again now; the result is a record of its own');
  common(remote(command), 'microtune trial t-0123456789-000000042 --asm').action(act(trial));
}

async function trial(_io: Io, id: string, o: TrialOptions): Shows {
  const client = neededDaemon(o, 'and a trial is made again by one');
  if (!client.ok) return client;
  if (o.replay === true) {
    const replayed = await client.value.replay(id);
    return replayed.ok ? ok({ json: replayed.value, text: replayText(replayed.value) }) : replayed;
  }
  const shown = await client.value.trial(id);
  if (!shown.ok) return shown;
  const { value } = shown;
  if (o.c === true) return value.source === null ? missing(value) : ok({ json: value.source, text: value.source });
  if (o.asm === true)
    return value.disassembly === null
      ? missing(value)
      : ok({ json: value.disassembly, text: asmText(value.disassembly) });
  return ok({ json: value, text: wholeText(value) });
}

const missing = ({ missing: why }: TrialBody) =>
  failed('propose', 'TRIAL_UNMAKEABLE', why ?? 'it could not be made again');

const replayText = ({ record, was, now, same }: ReplayBody): string => {
  const outcome = record.status === 'ok' ? `${count(now)} ${unit(record.kind)}` : `${record.stage}: ${record.code}`;
  return `${outcome}, was ${count(was)}${same ? ', the same' : ''}; record ${record.id}`;
};

function wholeText(t: TrialBody): string {
  const { record: r } = t;
  const outcome =
    r.status === 'ok' ? `${count(r.cycles)} ${unit(r.kind)}` : `failed at ${r.stage}: ${r.code}: ${r.detail}`;
  const rows: readonly (readonly [string, string | null])[] = [
    ['trial', r.id],
    ['outcome', outcome],
    ['doubted', r.doubt],
    ['task', `${t.task.id} ${t.task.op ?? ''} ${t.task.shape ?? ''}`.trim()],
    ['layers', t.task.layers.map((l) => `${l.modelName} ${l.name}`).join(', ')],
    ['schedule', t.words],
    ['board', r.board],
    ['device', t.device === null ? null : `${t.device.id}, firmware ${t.device.firmware ?? 'unknown'}`],
    ['by', `${r.policy}${r.job === null ? '' : ` in ${r.job}`} at ${r.at}`],
    ['times', t.stages.map((s) => `${s.stage} ${s.ms.toFixed(1)} ms`).join(', ')],
    ['compiler', t.compiler?.version ?? null],
    ['command', t.compiler?.command ?? null],
    ['said', t.compiler?.output.trim() ?? null],
    ['binary', t.sameBinary === null ? r.binary : `${r.binary}, made again ${t.sameBinary ? 'the same' : 'another'}`],
    ['missing', t.missing],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.flatMap(([name, text]) =>
    text === null || text === '' ? [] : [`${name.padEnd(width)}  ${text}`],
  );
  return [...lines, '', '--c shows its C, --asm its machine code, --replay measures it again'].join('\n');
}

/** A line an instruction; a function's name stands above its first one. */
function asmText({ lines, cycles }: NonNullable<TrialBody['disassembly']>): string {
  const address = (n: number): string => n.toString(16).padStart(8, '0');
  const counted = cycles !== null;
  const rows = lines.flatMap((l) => {
    const head = l.symbol === null ? [] : [['', ...(counted ? ['', ''] : []), `${l.symbol}:`]];
    const cells = counted ? [l.count === null ? '' : count(l.count), l.cycles === null ? '' : count(l.cycles)] : [];
    return [...head, [address(l.address), ...cells, l.text]];
  });
  return table(['address', ...(counted ? ['>executed', '>cycles'] : []), 'instruction'], rows);
}
