/**
 * The search space of a task: every setting of every template that applies, and the default schedule. A point is a Config
 * with knobs by name, so that it means the same tomorrow, whoever adds a knob or a template.
 */
import type { Workload } from '../compiler/workload.ts';
import { canonicalJson } from '../compiler/workload.ts';
import type { Features, Knob, Knobs, Schedule, Template } from '../kernels/template.ts';
import type { Random } from './random.ts';
import type { Config } from './types.ts';

/** What kernels/index.ts provides; passed in by the server, so that tests can bring spaces of their own. */
export interface TemplateSource {
  readonly templates: readonly Template[];
  defaultSchedule(workload: Workload, features: Features): Schedule;
}
export interface Part {
  readonly template: Template;
  readonly knobs: readonly Knob[];
  readonly size: number;
}
export interface SearchSpace {
  readonly parts: readonly Part[];
  /** Number of points beside the default. */
  readonly size: number;
  readonly fallback: Config;
  /** Each template with the first value of each knob: its own default. */
  readonly openings: readonly Config[];
  /** A point by number, in template order, the last knob fastest. */
  at(index: number): Config;
  sample(random: Random): Config;
  /** One or two knobs changed, now and then the template. A default or literal config gives a sample. */
  mutate(config: Config, random: Random): Config;
  /** All that differ from it in one knob; none for a default or literal config. */
  neighbours(config: Config): readonly Config[];
  /** Knobs from either parent; parents of different templates give a mutation of the first. */
  cross(a: Config, b: Config, random: Random): Config;
  /** undefined where the config's template, in that version, is not there or does not apply: it is of another microtune. */
  scheduleOf(config: Config): Schedule | undefined;
}

/** Share of mutations that change the template. */
const moving = 0.08;

export const configKey = (c: Config): string => canonicalJson(c);

export function spaceOf(workload: Workload, features: Features, source: TemplateSource): SearchSpace {
  const parts = source.templates.flatMap((template): readonly Part[] => {
    const knobs = template.knobs(workload, features);
    return knobs === undefined || knobs.some((k) => k.values.length === 0)
      ? []
      : [{ template, knobs, size: knobs.reduce((n, k) => n * k.values.length, 1) }];
  });
  const size = parts.reduce((n, p) => n + p.size, 0);
  const config = (p: Part, knobs: Knobs): Config => ({ template: p.template.name, version: p.template.version, knobs });
  const partOf = (c: Config): Part | undefined =>
    'knobs' in c ? parts.find((p) => p.template.name === c.template && p.template.version === c.version) : undefined;
  const fallback: Config = { template: 'default', version: 1, schedule: source.defaultSchedule(workload, features) };

  const at = (index: number): Config => {
    let rest = index;
    for (const p of parts) {
      if (rest >= p.size) {
        rest -= p.size;
        continue;
      }
      const knobs: Record<string, Knobs[string]> = {};
      for (const k of [...p.knobs].reverse()) {
        knobs[k.name] = k.values[rest % k.values.length] as Knobs[string];
        rest = Math.floor(rest / k.values.length);
      }
      return config(p, knobs);
    }
    throw new RangeError(`point ${index} of ${size}`);
  };
  // Templates are drawn evenly, not by their size: a large one would hide the others.
  const sample = (random: Random): Config => {
    const p = random.pick(parts);
    return config(p, Object.fromEntries(p.knobs.map((k) => [k.name, random.pick(k.values)])));
  };
  /** The config in another template: knobs of the same name and value stay, the others are what a human would begin with. */
  const moved = (c: Config & { readonly knobs: Knobs }, to: Part): Config => {
    const kept = (k: Knob): Knobs[string] | undefined => k.values.find((v) => v === c.knobs[k.name]) ?? k.values[0];
    return config(to, Object.fromEntries(to.knobs.map((k) => [k.name, kept(k) as Knobs[string]])));
  };
  const neighbours = (c: Config): readonly Config[] => {
    const p = partOf(c);
    if (p === undefined || !('knobs' in c)) return [];
    const others = (k: Knob): readonly Knobs[string][] => k.values.filter((v) => v !== c.knobs[k.name]);
    return p.knobs.flatMap((k) => others(k).map((v) => config(p, { ...c.knobs, [k.name]: v })));
  };
  const mutate = (c: Config, random: Random): Config => {
    const p = partOf(c);
    if (p === undefined || !('knobs' in c)) return sample(random);
    if (parts.length > 1 && random.next() < moving) return moved(c, random.pick(parts.filter((q) => q !== p)));
    const free = p.knobs.filter((k) => k.values.length > 1);
    if (free.length === 0) return c;
    const knobs: Record<string, Knobs[string]> = { ...c.knobs };
    for (let i = random.next() < 0.6 ? 1 : 2; i > 0; i--) {
      const k = random.pick(free);
      knobs[k.name] = random.pick(k.values.filter((v) => v !== knobs[k.name]));
    }
    return config(p, knobs);
  };
  const cross = (a: Config, b: Config, random: Random): Config => {
    const p = partOf(a);
    if (p === undefined || partOf(b) !== p || !('knobs' in a) || !('knobs' in b)) return mutate(a, random);
    return config(
      p,
      Object.fromEntries(p.knobs.map((k) => [k.name, (random.next() < 0.5 ? a : b).knobs[k.name] as Knobs[string]])),
    );
  };
  const scheduleOf = (c: Config): Schedule | undefined =>
    'schedule' in c ? c.schedule : partOf(c)?.template.schedule(workload, c.knobs);
  const openings = parts.map((p) =>
    config(p, Object.fromEntries(p.knobs.map((k) => [k.name, k.values[0] as Knobs[string]]))),
  );
  return { parts, size, fallback, openings, at, sample, mutate, neighbours, cross, scheduleOf };
}
