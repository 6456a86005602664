/** What the log must answer, said plainly over a list of all records in the order of appending. */
import type { RecordFilter, RecordSort, TuningRecord } from '../../db/index.ts';
import type { FailureKey } from '../../db/log-types.ts';

/** Neither it nor what it took over is doubted. */
export const stands = (all: readonly TuningRecord[], r: TuningRecord): boolean =>
  r.doubt === null && all.find((x) => x.id === r.reusedFrom)?.doubt == null;

const knobsOf = (r: TuningRecord) => ('knobs' in r.config ? r.config.knobs : {});

export interface Words {
  readonly op: string;
  readonly shape: string;
}
/** What a model of the log is told besides the records. */
export interface World {
  readonly words: (task: string) => Words;
  /** Layers by model: [name, task]. */
  readonly layers: Readonly<Record<string, readonly (readonly [string, string])[]>>;
}

export function fits(r: TuningRecord, f: RecordFilter, w: World): boolean {
  const { network, layer, op, shape, cyclesMin, cyclesMax, since, until, knobs = {}, ...equal } = f;
  const layers = network === undefined ? [] : (w.layers[network] ?? []);
  return (
    Object.entries(equal).every(([k, v]) => r[k as keyof TuningRecord] === v) &&
    (network === undefined ||
      layers.some(([name, task]) => task === r.task && (layer === undefined || name === layer))) &&
    (op === undefined || w.words(r.task).op === op) &&
    (shape === undefined || w.words(r.task).shape === shape) &&
    (cyclesMin === undefined || (r.cycles !== null && r.cycles >= cyclesMin)) &&
    (cyclesMax === undefined || (r.cycles !== null && r.cycles <= cyclesMax)) &&
    (since === undefined || Date.parse(r.at) >= Date.parse(since)) &&
    (until === undefined || Date.parse(r.at) < Date.parse(until)) &&
    Object.entries(knobs).every(([k, v]) => k in knobsOf(r) && String(knobsOf(r)[k]) === String(v))
  );
}

export function sorted(all: readonly TuningRecord[], sort: RecordSort): readonly TuningRecord[] {
  // toSorted is stable: equal counts stay in the order of appending.
  const counted = (): readonly TuningRecord[] =>
    all.filter((r) => r.cycles !== null).toSorted((a, b) => (a.cycles ?? 0) - (b.cycles ?? 0));
  switch (sort) {
    case 'at':
      return all;
    case '-at':
      return all.toReversed();
    case 'cycles':
      return counted();
    case '-cycles':
      return counted().toReversed();
  }
}

const least = (list: readonly TuningRecord[]): TuningRecord | undefined => sorted(list, 'cycles')[0];
const failed = (list: readonly TuningRecord[]): number => list.filter((r) => r.status === 'failed').length;
const textOrder = (a: readonly string[], b: readonly string[]): number => (a.join('\0') < b.join('\0') ? -1 : 1);

/** Rows of Log.best(), from the records that fit a filter and stand. */
export function best(list: readonly TuningRecord[], w: World) {
  const groups = Map.groupBy(list, (r) => JSON.stringify([r.task, r.board, r.kind]));
  return [...groups]
    .map(([key, own]) => {
      const [task, board, kind] = JSON.parse(key) as [string, string, string];
      const measured = own.filter((r) => r.reusedFrom === null);
      const first = least(own);
      return {
        task,
        ...w.words(task),
        board,
        kind,
        trials: measured.length,
        failed: failed(measured),
        default: least(own.filter((r) => r.template === 'default'))?.cycles ?? null,
        best: first?.cycles ?? null,
        record: first?.id ?? null,
      };
    })
    .toSorted((a, b) => textOrder([a.task, a.board, a.kind], [b.task, b.board, b.kind]));
}

/** Rows of Log.failures() by key. */
export function failures(list: readonly TuningRecord[], by: FailureKey) {
  const measured = list.filter((r) => r.reusedFrom === null);
  const rows = [...Map.groupBy(measured, (r) => r[by])].filter(
    ([key]) => key !== null || (by !== 'stage' && by !== 'code'),
  );
  return new Map(
    rows.map(([key, own]) => {
      const codes = Map.groupBy(
        own.filter((r) => r.code !== null),
        (r) => r.code ?? '',
      );
      return [
        key,
        {
          key,
          trials: by === 'stage' || by === 'code' ? measured.length : own.length,
          failed: failed(own),
          codes: Object.fromEntries([...codes].map(([code, { length }]) => [code, length])),
        },
      ];
    }),
  );
}

/** Rows of Log.knobs() in any order, by template, knob and value. */
export function knobs(list: readonly TuningRecord[]) {
  const settings = list.flatMap((r) =>
    Object.entries(knobsOf(r)).map(([knob, value]) => ({ key: JSON.stringify([r.template, knob, value]), r })),
  );
  return new Map(
    [...Map.groupBy(settings, ({ key }) => key)].map(([key, own]) => {
      const [template, knob, value] = JSON.parse(key) as [string, string, string | number];
      const counts = own.flatMap(({ r }) => r.cycles ?? []).toSorted((a, b) => a - b);
      return [
        key,
        {
          template,
          knob,
          value,
          trials: own.length,
          failed: own.length - counts.length,
          best: counts[0] ?? null,
          median: counts[Math.ceil(counts.length / 2) - 1] ?? null,
        },
      ];
    }),
  );
}
