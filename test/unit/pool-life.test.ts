/**
 * The life of a device in the pool, with devices made up here: when its health is checked and what a failed check does to
 * results, the ladder, quarantine and the way back.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { failed, ok } from '../../compiler/result.ts';
import { ladder, type Rung, restAfter, rungAfter } from '../../tuner/measure/escalation.ts';
import { Baselines, healthOutput, within } from '../../tuner/measure/health.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { lostDevice } from '../../tuner/types.ts';
import { samples } from '../samples.ts';
import { counted, Fake, failedWith, goneWhileWaiting, poolOf, quick, resultOf, turn } from './pool-devices.ts';

const wrong = failed('health', 'HEALTH_WRONG', 'it computes nonsense');
const drifted = failed('health', 'HEALTH_DRIFT', 'it has become slow');
const well = ok({ count: 1, baseline: 1 });

test('checked at opening, behind each failure of a run and every so many trials', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], { checkEvery: 4 });
  const checks: number[] = [];
  for (const result of [counted(1), counted(2), failedWith('FAULT'), counted(3), counted(4), counted(5), counted(6)]) {
    expect(await resultOf(pool, result)).toBe(result);
    checks.push(a.checks);
  }
  expect(checks).toEqual([1, 1, 2, 2, 2, 2, 3]);
  expect(pool.states()).toMatchObject([{ health: { count: 1, baseline: 1 }, failures: 0, suspects: 0 }]);
});

test('what a device measured since its last good check does not stand when it fails the next one', async () => {
  const [a, b] = [new Fake('a'), new Fake('b', { opens: () => false })];
  const pool = poolOf([a, b], { checkEvery: 3, restMs: () => 1_000_000 });
  const doubted: MeasureResult[] = [];
  pool.onDoubt((results) => doubted.push(...results));
  const results = [1, 2, 3, 4, 5].map(counted);
  for (const r of results) expect(await resultOf(pool, r)).toBe(r);
  expect(doubted).toEqual([]);
  a.health = drifted;
  // The sixth is told to try elsewhere; the two before it are withdrawn; the three before those were vouched for.
  expect(await resultOf(pool, counted(6))).toBe('DEVICE_UNWELL');
  expect(doubted).toEqual(results.slice(3));
  expect(pool.states()[0]).toMatchObject({ code: 'HEALTH_DRIFT', failures: 1, suspects: 2, state: 'closed' });
  expect(a.closed).toBe(1);
  await pool.closeAll();
});

test('an audit vouches for what was measured last, or withdraws it', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], { ...quick, checkEvery: 100 });
  const doubted: MeasureResult[] = [];
  pool.onDoubt((results) => doubted.push(...results));
  await resultOf(pool, counted(1));
  await pool.audit();
  await resultOf(pool, counted(2));
  a.health = wrong;
  await pool.audit();
  expect(doubted.map((r) => r.status === 'ok' && r.cycles)).toEqual([2]);
  await pool.closeAll();
});

test('a device that vanished and is found to be wrong takes back what it measured before', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], { ...quick, checkEvery: 100 });
  const doubted: MeasureResult[] = [];
  pool.onDoubt((results) => doubted.push(...results));
  const results = [counted(1), counted(2)];
  for (const r of results) await resultOf(pool, r);
  await pool.use(async () => failedWith('LINK'));
  expect(doubted).toEqual([]);
  // A link that breaks in the check is no evidence against what was measured; a wrong answer is.
  a.health = failed('link', 'LINK', 'hangs');
  const later = resultOf(pool, counted(3));
  while (a.checks < 2) await turn();
  expect(doubted).toEqual([]);
  a.health = drifted;
  while (doubted.length === 0) await turn();
  expect(doubted).toEqual(results);
  a.health = well;
  expect(await later).toMatchObject({ status: 'ok' });
  await pool.closeAll();
});

test('a candidate that fails on a device that then fails its check is tried elsewhere, and says both', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], quick);
  await resultOf(pool, counted(1));
  for (const bad of [wrong, failed('link', 'LINK', 'hangs')]) {
    a.health = bad;
    const used = await pool.use(async () => failedWith('WRONG_OUTPUT'));
    expect(used).toMatchObject({ ok: false, error: { code: 'DEVICE_UNWELL' } });
    expect(used.ok ? '' : used.error.detail).toMatch(/WRONG_OUTPUT.*, then it (computes nonsense|hangs)/);
    a.health = well;
    await resultOf(pool, counted(1));
  }
  expect(lostDevice(failedWith('DEVICE_UNWELL'))).toBe(true);
});

/** A source that has some remedies; what was done to it, in order. */
class Remedied extends Fake {
  readonly done: string[] = [];
  reflash?: () => Promise<ReturnType<typeof ok<void>>>;
  powerCycle?: () => Promise<ReturnType<typeof ok<void>>>;
  constructor(remedies: { readonly reflash: boolean; readonly power: boolean }) {
    super('a');
    const remedy = (name: string) => async () => {
      this.done.push(name);
      return ok(undefined);
    };
    if (remedies.reflash) this.reflash = remedy('reflash');
    if (remedies.power) this.powerCycle = remedy('power-cycle');
  }
  override async open(): ReturnType<Fake['open']> {
    this.done.push('open');
    return super.open();
  }
}

test('each rung is climbed in its turn, those that a device has; the end is quarantine; the counts say so', async () => {
  await fc.assert(
    fc.asyncProperty(fc.record({ reflash: fc.boolean(), power: fc.boolean() }), async (has) => {
      const a = new Remedied(has);
      a.health = wrong;
      const pool = poolOf([a], quick);
      expect(await goneWhileWaiting(pool)).toMatchObject({ code: 'HEALTH_WRONG' });
      const remedies: Partial<Record<Rung, boolean>> = { reflash: has.reflash, 'power-cycle': has.power };
      const want = ladder.flatMap((rung) => (remedies[rung] === true ? [rung, 'open'] : ['open']));
      expect(a.done).toEqual(['open', ...want]);
      expect(a.resets).toBe(1);
      const [state] = pool.states();
      const tries = Object.values(state?.recoveries ?? {}).reduce((n, k) => n + k, 0);
      expect([tries, state?.recoveries.reflash, state?.recoveries['power-cycle'], state?.recoveries.reset]).toEqual([
        ladder.length,
        Number(has.reflash),
        Number(has.power),
        1,
      ]);
      expect(state).toMatchObject({ state: 'quarantined', code: 'HEALTH_WRONG', failures: ladder.length + 1 });
      expect(a.closed).toBe(a.opened);
      await pool.closeAll();
    }),
    { seed: 1, numRuns: samples(4, 16) },
  );
});

test('a device that gets well on some rung measures again, and the next failure begins at the first rung', async () => {
  for (const rung of ladder.keys()) {
    const a = new Fake('a', { opens: () => a.opened > rung + 1 });
    const pool = poolOf([a], quick);
    expect(await resultOf(pool, counted(1))).toMatchObject({ status: 'ok' });
    expect(pool.states()).toMatchObject([{ state: 'idle', failures: rung + 1 }]);
    const before = pool.states()[0]?.recoveries.retry ?? 0;
    await pool.use(async () => failedWith('LINK'));
    await resultOf(pool, counted(2));
    expect(pool.states()[0]?.recoveries.retry).toBe(before + 1);
  }
  expect(rungAfter(ladder.length + 1)).toBeUndefined();
  expect(ladder.map((_, i) => restAfter(i + 1)).reduce((n, ms) => n + ms)).toBeGreaterThan(20_000);
});

test('a device that passes at opening and fails behind trials, again and again, is given up', async () => {
  const a = new Fake('a');
  const open = a.open.bind(a);
  a.open = async () => {
    a.health = well;
    return open();
  };
  const pool = poolOf([a], { ...quick, checkEvery: 3 });
  let withdrawn = 0;
  pool.onDoubt((results) => {
    withdrawn += results.length;
  });
  let done = 0;
  for (let i = 0; pool.gone === undefined; i++) {
    a.health = i % 3 === 2 ? drifted : well;
    const used = await pool.use(async () => counted(i));
    if (used.ok) done++;
  }
  // Nothing that it ever measured stands.
  expect([done, withdrawn]).toEqual([2 * (ladder.length + 1), 2 * (ladder.length + 1)]);
  expect(pool.states()).toMatchObject([{ code: 'HEALTH_DRIFT', failures: ladder.length + 1 }]);
  await pool.closeAll();
});

test('a quarantined device comes back when it passes its check, whoever works meanwhile', async () => {
  const [a, b] = [new Fake('a'), new Fake('b')];
  const looks: number[] = [];
  a.health = wrong;
  // A look that ends in an error of the system is a look that failed.
  let broken = false;
  const open = a.open.bind(a);
  a.open = async () => {
    if (broken) throw new Error('the disk is full');
    return open();
  };
  const pool = poolOf([a, b], {
    ...quick,
    quarantineMs: (n) => {
      looks.push(n);
      if (n === 2) a.health = well;
      broken = n === 1;
      return 0;
    },
  });
  const stateOf = (name: string) => pool.states().find((s) => s.name === name);
  while (stateOf('a')?.state !== 'quarantined') {
    await Promise.all([counted(1), counted(2)].map((r) => resultOf(pool, r)));
    await turn();
  }
  while (stateOf('a')?.state === 'quarantined') {
    expect(await resultOf(pool, counted(3))).toMatchObject({ status: 'ok' });
    await turn();
  }
  expect(looks).toEqual([0, 1, 2]);
  const before = stateOf('a')?.trials ?? 0;
  // Both are at work again.
  let inside = 0;
  const both = Promise.withResolvers<void>();
  await Promise.all(
    [0, 1].map(() =>
      pool.use(async () => {
        if (++inside === 2) both.resolve();
        await both.promise;
        return counted(4);
      }),
    ),
  );
  expect(stateOf('a')?.trials).toBe(before + 1);
  await pool.closeAll();
});

test('who asks for an audit hears of all that was measured, also on a device that another job has just now', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], quick);
  const doubted: MeasureResult[] = [];
  pool.onDoubt((results) => doubted.push(...results));
  const mine = counted(1);
  await resultOf(pool, mine);
  const end = Promise.withResolvers<void>();
  const others = pool.use(async () => {
    await end.promise;
    return counted(2);
  });
  const next = resultOf(pool, counted(3));
  await turn();
  a.health = drifted;
  const audit = pool.audit().then(() => {
    a.health = well;
    return [...doubted];
  });
  end.resolve();
  expect(await others).toMatchObject({ ok: true });
  // Before whoever waits has the device.
  expect(await audit).toMatchObject([mine, { cycles: 2 }]);
  expect(await next).toMatchObject({ cycles: 3 });
  await pool.closeAll();
});

test('a device that is drained or quarantined by somebody is vouched for, closed, and back when it is released', async () => {
  const a = new Fake('a');
  const told: string[] = [];
  const observe = { event: (...[, event]: [string, string, string, string | null]) => told.push(event), used: () => 0 };
  const pool = poolOf([a], { ...quick, observe });
  for (const retire of [() => pool.drain('a'), () => pool.quarantine('a', 'smells', new Date(0).toISOString())]) {
    expect(await resultOf(pool, counted(1))).toMatchObject({ status: 'ok' });
    const before = a.checks;
    retire();
    while (pool.states()[0]?.state === 'busy') await turn();
    // One check more, for the result that nobody had vouched for.
    expect([a.checks - before, a.closed]).toEqual([1, a.opened]);
    expect(pool.gone).toBeDefined();
    const later = resultOf(pool, counted(2));
    // No look brings it back: only whoever wants it.
    await turn();
    expect(pool.gone).toBeDefined();
    pool.release('a');
    expect(await later).toMatchObject({ status: 'ok' });
  }
  expect(pool.states()).toMatchObject([{ failures: 0, quarantine: null, draining: false }]);
  expect(told).toEqual(['checked', 'opened', 'closed', 'opened', 'closed', 'opened']);
  await pool.closeAll();
});

test('what was measured last is withdrawn when a device that is drained turns out to be unwell', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], { restMs: () => 1e6 });
  const doubted: MeasureResult[] = [];
  const stop = pool.onDoubt((results) => doubted.push(...results));
  await resultOf(pool, counted(1));
  a.health = drifted;
  pool.drain('a');
  while (doubted.length === 0) await turn();
  expect(doubted).toMatchObject([{ cycles: 1 }]);
  stop();
  await pool.closeAll();
});

test('a device that is unplugged leaves without a word of the ladder, and is back as soon as somebody sees it', async () => {
  let there = true;
  class Plugged extends Fake {
    absent = async (): Promise<boolean> => !there;
  }
  const a: Plugged = new Plugged('a', { opens: () => there });
  const said: string[] = [];
  const pool = poolOf([a], { ...quick, quarantineMs: () => 1e6, log: (m) => said.push(m) });
  await resultOf(pool, counted(1));
  there = false;
  expect(await pool.use(async () => failedWith('LINK'))).toMatchObject({ ok: true, value: { code: 'LINK' } });
  const later = resultOf(pool, counted(2));
  while (pool.gone === undefined) await turn();
  expect(pool.states()).toMatchObject([{ state: 'unplugged', failures: 0 }]);
  there = true;
  // Again and again is as good as once.
  for (let i = 0; i < 3; i++) pool.wake('a');
  expect(await later).toMatchObject({ status: 'ok' });
  expect(said).toEqual([]);
  // While it lies idle nobody notices but who looks at the ports.
  pool.unplugged('a');
  expect(pool.states()).toMatchObject([{ state: 'unplugged' }]);
  await pool.closeAll();
  expect(a.closed).toBeLessThanOrEqual(a.opened);
});

test('a device that is unplugged in a trial and back before the trial finds out has not failed', async () => {
  class Plugged extends Fake {
    absent = async (): Promise<boolean> => false;
  }
  const a: Plugged = new Plugged('a');
  const said: string[] = [];
  const pool = poolOf([a], { ...quick, log: (m) => said.push(m) });
  const lost = async (): Promise<MeasureResult> => {
    pool.unplugged('a');
    pool.wake('a');
    return failedWith('LINK');
  };
  expect(await pool.use(lost)).toMatchObject({ ok: true, value: { code: 'LINK' } });
  expect(await resultOf(pool, counted(1))).toMatchObject({ status: 'ok' });
  expect([pool.states(), said]).toMatchObject([[{ failures: 0 }], []]);
  // The next time it is the device's own fault.
  expect(await pool.use(async () => failedWith('LINK'))).toMatchObject({ ok: true, value: { code: 'LINK' } });
  expect(pool.states()).toMatchObject([{ failures: 1 }]);
  await pool.closeAll();
});

test('closing waits for a look at a quarantined device, which is closed again', async () => {
  const a = new Fake('a');
  const opening = Promise.withResolvers<void>();
  const looking = Promise.withResolvers<void>();
  a.health = wrong;
  const pool = poolOf([a], { ...quick, quarantineMs: () => 0 });
  const open = a.open.bind(a);
  await goneWhileWaiting(pool);
  a.health = well;
  a.open = async () => {
    looking.resolve();
    await opening.promise;
    return open();
  };
  await looking.promise;
  let closed = false;
  const end = pool.closeAll().then(() => {
    closed = true;
  });
  await turn();
  expect(closed).toBe(false);
  opening.resolve();
  await end;
  expect(a.closed).toBe(a.opened);
});

test('counts that may not scatter must be the same, others may within a band', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 1e6 }), fc.integer({ min: 100, max: 1e6 }), (a, b) => {
      expect(within({ deterministic: true, kind: 'model' }, a, b)).toBe(a === b);
      const silicon = within({ deterministic: false, kind: 'silicon' }, a, b);
      expect(silicon).toBe(Math.max(a, b) <= 1.02 * Math.min(a, b));
      if (silicon) expect(within({ deterministic: false, kind: 'host' }, a, b)).toBe(true);
    }),
    { seed: 1, numRuns: samples(200, 5000) },
  );
  const baselines = new Baselines();
  expect([baselines.of('k', 5), baselines.of('k', 6), baselines.of('l', 7), baselines.of('k', 8)]).toEqual([
    5, 5, 7, 5,
  ]);
});

test('the reference of the known kernel depends on every output before', () => {
  const long = healthOutput(300);
  expect(Buffer.from(healthOutput(128).bytes)).toEqual(Buffer.from(long.bytes.subarray(0, 128)));
  expect(new Set(long.bytes).size).toBeGreaterThan(100);
});
