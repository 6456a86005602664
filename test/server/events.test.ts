/** The event stream: what a client reads, in one go or in pieces, is what the store holds, each event once. */
import { get, type IncomingMessage } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { samples } from '../samples.ts';
import { type Bench, errorIn, startBench } from './bench.ts';

function parsed(text: string): readonly EventSourceMessage[] {
  const out: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (e) => out.push(e) });
  parser.feed(text);
  return out;
}
const path = (id: string): string => `/v1/jobs/${id}/events`;
const read = async (b: Bench, id: string, headers: Record<string, string> = {}) =>
  parsed((await b.get(path(id), headers)).body);

/** A job with some events behind it that has ended. */
async function endedJob(b: Bench, extra = 5): Promise<string> {
  const { id } = await b.submit();
  for (let i = 0; i < extra; i++) b.feed.event(id, 'log', { phase: 'tune', message: `line ${i}\nand more` });
  await b.post(`/v1/jobs/${id}/cancel`);
  return id;
}

test('the stream of an ended job is its whole story, and ends', async () => {
  const b = await startBench();
  const id = await endedJob(b);
  const answer = await b.get(path(id));
  expect(answer.headers['content-type']).toBe('text/event-stream');
  const events = parsed(answer.body);
  expect(events.map((e) => Number(e.id))).toEqual(b.store.events(id, 0, 100).map((e) => e.id));
  const states = events.filter((e) => e.event === 'state').map((e) => JSON.parse(e.data).state);
  expect(states).toEqual(['queued', 'running', 'cancelled']);
  expect(JSON.parse(events[2]?.data ?? '')).toMatchObject({ phase: 'tune', message: 'line 0\nand more' });
});

test('a client that follows sees events as they happen, until the last', async () => {
  const b = await startBench();
  const { id } = await b.submit();
  const following = read(b, id);
  await new Promise((done) => setImmediate(done));
  b.feed.event(id, 'log', { phase: 'tune', message: 'live' });
  b.begun[0]?.end({ state: 'done', report: {} });
  const events = await following;
  expect(events.map((e) => e.event)).toEqual(['state', 'state', 'log', 'state']);
  expect(JSON.parse(events.at(-1)?.data ?? '').state).toBe('done');
});

test('many clients: each gets all events once, and an event is read once for all', async () => {
  const b = await startBench();
  const { id } = await b.submit();
  const clients = 130;
  const following = Array.from({ length: clients }, () => read(b, id));
  await new Promise((done) => setImmediate(done));
  const reads = vi.spyOn(b.store, 'events');
  for (let i = 0; i < 5; i++) {
    b.feed.event(id, 'log', { phase: 'tune', message: `line ${i}` });
    // One comes while the one before is still being handed out.
    if (i % 2 === 0) await new Promise((done) => setImmediate(done));
  }
  b.begun[0]?.end({ state: 'done', report: {} });
  const all = await Promise.all(following);
  const ids = b.store.events(id, 0, 100).map((e) => Number(e.id));
  for (const events of all) expect(events.map((e) => Number(e.id))).toEqual(ids);
  // By client it would be more than five hundred.
  expect(reads.mock.calls.length).toBeLessThan(clients);
});

test('Last-Event-ID: whatever was seen, the rest and only the rest follows', async () => {
  const b = await startBench();
  const id = await endedJob(b, 300);
  const all = b.store.events(id, 0, 1000).map((e) => e.id);
  await fc.assert(
    fc.asyncProperty(fc.nat(all.length - 2), async (seen) => {
      const last = all[seen] ?? 0;
      const rest = await read(b, id, { 'last-event-id': String(last) });
      expect(rest.map((e) => Number(e.id))).toEqual(all.slice(seen + 1));
    }),
    { seed: 1, numRuns: samples(20, 300) },
  );
});

test('nothing after the last event: 204, so that browsers do not come back', async () => {
  const b = await startBench();
  const id = await endedJob(b);
  const last = b.store.events(id, 0, 100).at(-1)?.id ?? 0;
  expect((await b.get(path(id), { 'last-event-id': String(last) })).statusCode).toBe(204);
  expect((await b.get(`${path(id)}?after=${last}`)).statusCode).toBe(204);
});

test('a client that does not read for a while loses nothing, and the daemon waits for it', async () => {
  const b = await startBench();
  const { id } = await b.submit();
  const url = await b.app.listen({ port: 0, host: '127.0.0.1' });
  const answer = await new Promise<IncomingMessage>((found) => get(`${url}${path(id)}`, found));
  const message = 'x'.repeat(2 ** 16);
  for (let i = 0; i < 200; i++) b.feed.event(id, 'log', { phase: 'tune', message });
  await b.post(`/v1/jobs/${id}/cancel`);
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  expect(parsed(text).map((e) => Number(e.id))).toEqual(b.store.events(id, 0, 1000).map((e) => e.id));
});

test('a quiet stream says now and then that it is there', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const b = await startBench();
  const { id } = await b.submit();
  const following = b.get(path(id));
  await new Promise((done) => setImmediate(done));
  vi.advanceTimersByTime(40_000);
  await b.post(`/v1/jobs/${id}/cancel`);
  expect((await following).body.match(/^: here$/gm)).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('bad ids are refused', async () => {
  const b = await startBench();
  const id = await endedJob(b);
  const bad = await b.get(path(id), { 'last-event-id': 'abc' });
  expect([bad.statusCode, errorIn(bad).code]).toEqual([400, 'BAD_REQUEST']);
  const missing = await b.get(path('nope'));
  expect([missing.statusCode, errorIn(missing).code]).toEqual([404, 'JOB_NOT_FOUND']);
});

/** Events of the stream of all jobs behind `last` (absent: from now on), until `enough` says so. */
async function readAll(
  url: string,
  last: number | undefined,
  enough: (events: readonly EventSourceMessage[]) => boolean,
  ready: () => void = () => undefined,
): Promise<readonly EventSourceMessage[]> {
  const headers = last === undefined ? {} : { 'last-event-id': String(last) };
  const answer = await new Promise<IncomingMessage>((found) => get(`${url}/v1/events`, { headers }, found));
  ready();
  let text = '';
  for await (const chunk of answer) {
    text += String(chunk);
    if (enough(parsed(text))) break;
  }
  return parsed(text);
}

test('the stream of all jobs names the job of each event, begins now, and goes on where a client left it', async () => {
  const b = await startBench(undefined, {}, { atOnce: 4 });
  const url = await b.app.listen({ port: 0, host: '127.0.0.1' });
  const [first, second] = [await b.submit(1), await b.submit(2)];
  const before = b.store.lastEventId();
  const ready = Promise.withResolvers<void>();
  const following = readAll(url, undefined, (events) => events.length >= 3, ready.resolve);
  await ready.promise;
  b.begun[0]?.run.log('tune', 'one');
  b.begun[1]?.run.log('tune', 'two');
  b.begun[0]?.end({ state: 'done', report: {} });
  const events = await following;
  const jobs = events.map((e) => JSON.parse(e.data).job as string);
  expect(jobs).toEqual([first.id, second.id, first.id]);
  expect(Number(events[0]?.id)).toBeGreaterThan(before);
  const all = b.store.allEvents(0, 1000).map((e) => e.id);
  const [seen = 0] = all;
  const rest = await readAll(url, seen, (e) => e.length >= all.length - 1);
  expect(rest.map((e) => Number(e.id))).toEqual(all.slice(1));
});

test('events of a long job stay few; who comes back after it was thinned misses none that stayed', async () => {
  const b = await startBench();
  const { id } = await b.submit();
  const run = b.begun[0]?.run;
  const ids: number[] = [];
  for (let i = 0; i < 1500; i++) {
    ids.push(b.feed.event(id, 'progress', { i }).id);
    run?.log('devices', `trouble ${i}`);
  }
  b.begun[0]?.end({ state: 'done', report: {} });
  await new Promise((done) => setImmediate(done));
  const kept = b.store.events(id, 0, 10_000);
  const count = (type: string): number => kept.filter((e) => e.type === type).length;
  expect(count('progress')).toBeLessThanOrEqual(200);
  expect(count('progress')).toBeGreaterThan(100);
  expect([count('log'), count('state')]).toEqual([500, 3]);
  const seen = ids[700] ?? 0;
  const rest = await read(b, id, { 'last-event-id': String(seen) });
  expect(rest.map((e) => Number(e.id))).toEqual(kept.map((e) => e.id).filter((x) => x > seen));
});
