/** Following a job through connections that break: every event once, in order, until the job or the patience ends. */
import { expect, test } from 'vitest';
import { type Follow, follow, type OpenEvents, type ServerEvent } from '../../client/events.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';

const event = (id: number, state = 'running'): ServerEvent => ({ id, type: 'state', data: { state } });
const textOf = (e: ServerEvent): string => `id: ${e.id}\nevent: ${e.type}\ndata: ${JSON.stringify(e.data)}\n\n`;

type Answer = Awaited<ReturnType<OpenEvents>>;
/** A connection that brings these events and, if `broken`, ends in the middle of the next one with an error. */
function stream(events: readonly ServerEvent[], end: 'clean' | 'broken' = 'clean'): Answer {
  const half = end === 'broken' ? 'id: 99\nevent: sta' : '';
  const pieces = [events.map(textOf).join(''), half];
  return ok(
    new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece !== undefined) controller.enqueue(Buffer.from(piece));
        else if (end === 'clean') controller.close();
        else controller.error(new Error('reset'));
      },
    }),
  );
}
const gone = failed('request', 'DAEMON_UNREACHABLE', 'connection refused');

/** Follows with these answers, one a connection; what was seen, asked for and lost. */
async function followed(answers: readonly Answer[], more: Partial<Follow> = {}) {
  const seen: number[] = [];
  const asked: number[] = [];
  const lost: string[] = [];
  let state = '';
  const left = [...answers];
  const events = follow({
    open: async (after) => {
      asked.push(after);
      return left.shift() ?? gone;
    },
    after: 0,
    over: () => state === 'done',
    onLost: (why) => void lost.push(why),
    signal: new AbortController().signal,
    patienceMs: 60_000,
    ...more,
  });
  let result: Result<void> | undefined;
  while (result === undefined) {
    const next = await events.next();
    if (next.done === true) result = next.value;
    else {
      seen.push(next.value.id);
      state = String(next.value.data.state);
    }
  }
  return { result, seen, asked, lost };
}

test('a connection that breaks is taken up behind the last event; what comes again is not told again', async () => {
  const first = stream([event(1), event(2)], 'broken');
  const second = stream([event(2), event(5), event(9, 'done'), event(10)]);
  expect(await followed([first, gone, failed('x', 'STOPPING', 'going down'), second])).toEqual({
    result: { ok: true, value: undefined },
    seen: [1, 2, 5, 9],
    asked: [0, 2, 2, 2],
    lost: ['the connection ended'],
  });
});

test('a job that ended while nobody listened is over', async () => {
  const { result, seen } = await followed([stream([event(3)]), ok(undefined)]);
  expect([result.ok, seen]).toEqual([true, [3]]);
});

test('patience ends in an error', async () => {
  const { result, lost } = await followed([stream([event(1)]), gone, gone], { patienceMs: -1 });
  expect(result.ok ? 'ended' : `${result.error.code} ${result.error.detail}`).toMatch(
    /^DAEMON_UNREACHABLE .*did not come back within/,
  );
  expect(lost).toHaveLength(1);
});

test('what the daemon refuses is not tried again; a signal ends following', async () => {
  const refused = await followed([failed('request', 'JOB_NOT_FOUND', 'no such job')]);
  expect([refused.result.ok, refused.asked]).toEqual([false, [0]]);
  const signal = AbortSignal.abort();
  expect(await followed([gone], { signal })).toMatchObject({ result: { ok: true }, lost: [] });
});
