/**
 * Webhooks from a real daemon to the receivers of docs/webhooks.md, and through kill -9: what a daemon did not get rid of, the next
 * one does, under the same id.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import type { DeliveryPage } from '../../server/schemas/index.ts';
import { type DaemonProcess, dataDir, startDaemonProcess, submit, until } from './daemon-process.ts';

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
/** A job that ends at once, and is told to these. */
async function cancelled(d: DaemonProcess, webhooks: readonly string[]): Promise<string> {
  const { id } = await submit(d, { trials: 1000, webhooks: [...webhooks] });
  await d.post(`/v1/jobs/${id}/cancel`);
  return id;
}

const page = readFileSync(resolve(import.meta.dirname, '../../docs/webhooks.md'), 'utf8');
const example = (language: string): string => new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? '';
const listens = (port: number): Promise<true | undefined> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(undefined));
  });

/** A receiver of the document, and the lines that it prints. */
async function receiver(command: readonly string[], port: number): Promise<string[]> {
  const [program = '', ...args] = command;
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await until('the receiver listens', () => listens(port));
  return lines;
}

test('the receivers of docs/webhooks.md believe the daemon, and nobody else', async () => {
  const dir = dataDir();
  const d = await startDaemonProcess(dir);
  const secret = join(dir, 'webhook-secret');
  const receivers = [
    ['js', 'receiver.mjs', process.execPath],
    ['python', 'receiver.py', 'python3'],
  ] as const;
  const told: { readonly lines: readonly string[]; readonly url: string }[] = [];
  for (const [language, name, program] of receivers) {
    writeFileSync(join(dir, name), example(language));
    const port = await freePort();
    const lines = await receiver([program, join(dir, name), secret, String(port)], port);
    told.push({ lines, url: `http://127.0.0.1:${port}/` });
  }
  const job = await cancelled(
    d,
    told.map(({ url }) => url),
  );
  for (const { lines, url } of told) {
    await until('the receiver has heard it', async () => (lines.length > 0 ? true : undefined));
    expect(lines).toEqual([`job.cancelled ${job} cancelled`]);
    const body = '{"event":"job.done","job":{"id":"x","state":"done"}}';
    for (const signature of ['', `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}`, 't=1,v1=0']) {
      const headers = { 'microtune-signature': signature };
      expect((await fetch(url, { method: 'POST', body, headers })).status).toBe(401);
    }
    expect(lines.length).toBe(1);
  }
  const { items } = await d.get<DeliveryPage>('/v1/webhooks/deliveries?state=delivered');
  expect(items.map((i) => i.to).sort()).toEqual(told.map(({ url }) => new URL(url).origin).sort());
  expect(await d.end('SIGTERM')).toBe(0);
});

test('kill -9 with messages on the way: the next daemon sends them, under the ids that they had', async () => {
  const seen: { readonly id: string; readonly headers: IncomingHttpHeaders }[] = [];
  const server: Server = createServer((request, answer) => {
    seen.push({ id: String(request.headers['microtune-delivery']), headers: request.headers });
    // The first ones are never answered.
    if (seen.length > 2) answer.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dir = dataDir();
  const first = await startDaemonProcess(dir, ['--webhook', `${url}/farm`]);
  const job = await cancelled(first, [`${url}/own`]);
  await until('both are on the way', async () => (seen.length === 2 ? true : undefined));
  await first.end('SIGKILL');

  const second = await startDaemonProcess(dir);
  await until('both have arrived', async () => (seen.length === 4 ? true : undefined));
  const ids = seen.map((s) => s.id);
  expect([...ids.slice(2)].sort()).toEqual([...ids.slice(0, 2)].sort());
  const list = await until('both are noted', async () => {
    const { items } = await second.get<DeliveryPage>('/v1/webhooks/deliveries');
    return items.every((i) => i.state === 'delivered') ? items : undefined;
  });
  expect(list.map((i) => [i.job, i.event, i.attempts])).toEqual(Array(2).fill([job, 'job.cancelled', 1]));
  expect(await second.end('SIGTERM')).toBe(0);
});
