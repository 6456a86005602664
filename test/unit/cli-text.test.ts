/** What the command line says and understands: options, tables, error lines, progress, and the daemon's event stream. */
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { compilers } from '../../boards/index.ts';
import { parseEvents, type ServerEvent } from '../../client/events.ts';
import { unpack } from '../../server/cli/archive.ts';
import { unexpected, usage } from '../../server/cli/failures.ts';
import { onInterrupt } from '../../server/cli/interrupt.ts';
import { errorLine, ioOf } from '../../server/cli/io.ts';
import {
  attached,
  byteCount,
  type CompilerOption,
  commandOf,
  compiler,
  compilerAsArguments,
  type DeviceOptions,
  devices,
  devicesAsArguments,
  emulated,
  instant,
  oneOf,
  wallTime,
  whole,
} from '../../server/cli/options.ts';
import { progressOn } from '../../server/cli/progress.ts';
import { count, span, speedUp, table } from '../../server/cli/table.ts';
import type { ProgressBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

describe('options', () => {
  test('whole numbers within their range, and nothing else', () => {
    const parse = whole(1, 100);
    expect(parse('1')).toBe(1);
    expect(parse('100')).toBe(100);
    for (const wrong of ['0', '-1', '101', '1.5', '1e2', '', ' 7', 'seven', '0x10', 'NaN'])
      expect(() => parse(wrong), wrong).toThrow(InvalidArgumentError);
  });
  test('one of a few words', () => {
    expect(['4096', '64K', '22.8k', '0.5K'].map(byteCount)).toEqual([4096, 65536, 23347, 512]);
    for (const wrong of ['', '0', '-1', '1.5', 'K', '64M', '0K', '1e3', ' 5', '9'.repeat(20), `${'9'.repeat(400)}K`])
      expect(() => byteCount(wrong), wrong).toThrow(InvalidArgumentError);
    expect(oneOf('all', 'none')('none')).toBe('none');
    expect(() => oneOf('all', 'none')('some')).toThrow('One of all, none is needed.');
  });
  test('devices on ports and behind sockets', () => {
    expect(attached('nucleo=/dev/ttyACM0')).toEqual({ board: 'nucleo', address: '/dev/ttyACM0' });
    expect(attached('nucleo=10.0.0.7:4000')).toEqual({ board: 'nucleo', address: '10.0.0.7:4000' });
    for (const wrong of ['nucleo', 'nucleo=', '=/dev/ttyACM0', 'nucleo=host:0', 'nucleo=host:70000'])
      expect(() => attached(wrong), wrong).toThrow(InvalidArgumentError);
  });
  test('numbers of emulated boards gather', () => {
    expect(emulated('host=0', emulated('mps2-an386=4'))).toEqual({ 'mps2-an386': 4, host: 0 });
    for (const wrong of ['4', 'host=', 'host=-1', 'host=1.5', 'host=x']) expect(() => emulated(wrong)).toThrow();
  });
  test('commands by board gather, whatever they hold', () => {
    const command = 'uhubctl -l 1-1 -p 2 -a cycle && echo "a=b"';
    expect(commandOf(`nucleo=${command}`, { pico: 'x' })).toEqual({ pico: 'x', nucleo: command });
    for (const wrong of ['nucleo', 'nucleo=', 'nucleo= ', '=x']) expect(() => commandOf(wrong)).toThrow();
  });
  test('what a daemon is told of devices arrives whole at a daemon of our own', () => {
    const optionsOf = (args: readonly string[]): DeviceOptions =>
      devices(new Command())
        .exitOverride()
        .configureOutput({ writeErr: () => undefined })
        .parse(args, { from: 'user' })
        .opts<DeviceOptions>();
    const said: DeviceOptions = {
      device: [
        { board: 'nucleo', address: '/dev/ttyACM0' },
        { board: 'host', address: '10.0.0.7:4000' },
      ],
      discover: true,
      emulate: { 'mps2-an386': 2, host: 0 },
      powerCycle: { nucleo: 'hub "$1" --off; hub $1 --on' },
      probe: { nucleo: '127.0.0.1:3333' },
      firmware: 'same',
      checkEvery: 7,
    };
    expect(optionsOf(devicesAsArguments(said))).toEqual(said);
    expect(devicesAsArguments(optionsOf([]))).toEqual([]);
    expect(() => optionsOf(['--firmware', 'old'])).toThrow(CommanderError);
  });
  test('so does the compiler', () => {
    const optionOf = (args: readonly string[]): CompilerOption =>
      compiler(new Command())
        .exitOverride()
        .configureOutput({ writeErr: () => undefined })
        .parse(args, { from: 'user' })
        .opts<CompilerOption>();
    for (const one of compilers) expect(optionOf(compilerAsArguments({ compiler: one })).compiler).toBe(one);
    expect(compilerAsArguments(optionOf([]))).toEqual([]);
    expect(() => optionOf(['--compiler', 'icc'])).toThrow(CommanderError);
  });
  test('times and instants', () => {
    for (const right of ['90s', '30m', '1.5h', '7']) expect(wallTime(right)).toBe(right);
    for (const wrong of ['0', '-1s', '5 minutes', ''])
      expect(() => wallTime(wrong), wrong).toThrow(InvalidArgumentError);
    expect(instant('2026-03-31T12:00:00+02:00')).toBe('2026-03-31T10:00:00.000Z');
    expect(() => instant('yesterday')).toThrow(InvalidArgumentError);
  });
});

describe('errors', () => {
  test('are one line, whatever they say', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (detail, hint) => {
        expect(errorLine({ stage: 's', code: 'CODE', detail }, hint)).toMatch(/^error CODE: [^\p{Cc}\u202e]*$/u);
      }),
      { seed: 1, numRuns: samples(200, 5000) },
    );
    expect(errorLine({ stage: 's', code: 'C', detail: 'first\n  second.' }, 'Do this.')).toBe(
      'error C: first | second. Do this.',
    );
  });
  test('files that cannot be used are told by their path', () => {
    const open = (): unknown => readFileSync('/nowhere/at/all');
    const caught = (f: () => unknown): unknown => {
      try {
        return f();
      } catch (error) {
        return error;
      }
    };
    expect(unexpected(caught(open))).toEqual({
      stage: 'input',
      code: 'FILE_UNUSABLE',
      detail: '/nowhere/at/all: there is no such file or folder',
    });
    expect(unexpected(new TypeError('x is not a function')).code).toBe('INTERNAL');
  });
  test('a wrong command line', () => {
    const error = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--x'");
    expect(usage(error)).toEqual({ stage: 'input', code: 'USAGE', detail: "unknown option '--x'" });
  });
});

describe('tables', () => {
  test('columns stand under each other, numbers to the right', () => {
    expect(
      table(
        ['layer', '>count'],
        [
          ['conv', count(1234567)],
          ['a longer one', count(null)],
        ],
      ),
    ).toBe('layer             count\nconv          1,234,567\na longer one          -');
  });
  test('a row is one line, and no name moves the cursor of a terminal', () => {
    const said: string[] = [];
    const screen = { write: (text: string) => said.push(text) };
    const io = ioOf('text', { stdin: new PassThrough(), stdout: screen, stderr: screen });
    io.out(table(['name', 'board'], [['two\nlines', '\x1b[2J\x07\u202edrawkcab']]));
    io.news('a\tb\r\nc\x9b1m');
    expect(said).toEqual(['name       board\ntwo lines  \ufffd[2J\ufffd\ufffddrawkcab\n', 'a\tb\r\nc\ufffd1m\n']);
  });
  test('spans and speed-ups', () => {
    expect([0, 59_400, 200_000, 7_500_000].map(span)).toEqual(['0s', '59s', '3m20s', '2h05m']);
    expect(speedUp(300, 120)).toBe('2.50x');
    expect([speedUp(null, 1), speedUp(1, null), speedUp(1, 0)]).toEqual(['-', '-', '-']);
  });
});

const state = (trials: number, best: number | null, spentMs = 3000): ProgressBody => ({
  kind: 'instructions',
  trials: { done: trials, failed: 1, budget: 40 },
  spentMs,
  leftMs: 8000,
  cycles: { default: 1000, best },
  tasks: [
    {
      id: 't1',
      op: 'conv2d',
      shape: '1x8x8x4 -> 1x8x8x8',
      occurrences: 2,
      trials,
      failed: 1,
      default: 500,
      best,
      exhausted: false,
      schedule: null,
    },
  ],
});
const screenOf = (
  isTTY: boolean,
  columns = 200,
): { isTTY: boolean; columns: number; text: string; write(t: string): void } => ({
  isTTY,
  columns,
  text: '',
  write(t) {
    this.text += t;
  },
});

describe('progress', () => {
  test('off a terminal: plain lines, only for what moved, not more often than every few seconds', () => {
    const screen = screenOf(false);
    let now = 0;
    const progress = progressOn(screen, 'instructions', () => now);
    progress.show(state(0, null, 1000));
    now = 1000;
    progress.show(state(2, 400, 2000));
    now = 6000;
    progress.show(state(10, 250));
    now = 12_000;
    // Verifying takes time, but no trials.
    progress.show(state(10, 250, 9000));
    progress.end();
    expect(screen.text.trimEnd().split('\n')).toEqual([
      'whole network: 0/40 trials, -/s, 1 failed, 8s left',
      'conv2d 1x8x8x4 -> 1x8x8x8 x2: 10 trials, 5.0/s, best 250 instructions (2.00x), 8s left',
      'whole network: 10/40 trials, 5.0/s, 1 failed, best 250 instructions (4.00x), 8s left',
    ]);
    expect(screen.text.includes('\x1b')).toBe(false);
  });

  test('on a terminal: drawn over the lines before, none longer than it is wide', () => {
    const screen = screenOf(true, 60);
    const progress = progressOn(screen, 'instructions', () => 0);
    progress.show(state(1, null));
    progress.show(state(10, 250));
    progress.say('a remark');
    expect(screen.text.split('\x1b[2A\x1b[J').length).toBe(3);
    for (const line of screen.text.replaceAll('\x1b[2A\x1b[J', '').split('\n')) expect(line.length).toBeLessThan(60);
    expect(screen.text).toContain('a remark\n');
  });
});

describe('Ctrl-C', () => {
  /** Signals and lines typed, in order -> what was decided, and how often it was asked. */
  async function answers(isTTY: boolean, ...events: readonly string[]) {
    const keyboard = Object.assign(new PassThrough(), { isTTY });
    const signals = new EventEmitter();
    const decided: string[] = [];
    let asked = 0;
    const news = (question: string): void => {
      asked++;
      // What a second one does is said before anybody presses it.
      expect(question).toContain('[c]ancel it (so does Ctrl-C now)');
    };
    const stop = onInterrupt({ keyboard, news }, (choice) => void decided.push(choice), signals);
    for (const event of events) {
      if (event.startsWith('SIG')) signals.emit(event);
      else keyboard.write(`${event}\n`);
      await new Promise((done) => setImmediate(done));
    }
    const listening = signals.listenerCount('SIGINT');
    stop();
    expect(signals.eventNames()).toEqual([]);
    return { decided, asked, listening };
  }

  test('at a terminal asks once; a second one cancels', async () => {
    expect(await answers(true, 'SIGINT', 'd')).toEqual({ decided: ['detach'], asked: 1, listening: 0 });
    expect(await answers(true, 'SIGINT', 'C')).toEqual({ decided: ['cancel'], asked: 1, listening: 0 });
    expect(await answers(true, 'SIGINT', 'SIGINT')).toEqual({ decided: ['cancel'], asked: 1, listening: 0 });
    expect(await answers(true, 'SIGINT', '')).toEqual({ decided: [], asked: 1, listening: 1 });
    expect(await answers(true, 'SIGINT', '', 'SIGINT', 'd')).toEqual({ decided: ['detach'], asked: 2, listening: 0 });
  });
  test('without a terminal cancels; other signals leave the job as it is', async () => {
    expect(await answers(false, 'SIGINT')).toEqual({ decided: ['cancel'], asked: 0, listening: 0 });
    for (const signal of ['SIGTERM', 'SIGHUP'])
      expect(await answers(true, signal)).toEqual({ decided: ['leave'], asked: 0, listening: 0 });
  });
});

describe('event stream', () => {
  const text =
    ': hello\n\nid: 3\nevent: state\ndata: {"state":"running"}\n\n: here\n\nid: 7\r\nevent: log\r\ndata: {"message":\r\ndata: "ä"}\r\n\r\n';
  const events: ServerEvent[] = [
    { id: 3, type: 'state', data: { state: 'running' } },
    { id: 7, type: 'log', data: { message: 'ä' } },
  ];
  async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
    let from = 0;
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      yield bytes.subarray(from, cut);
      from = cut;
    }
    yield bytes.subarray(from);
  }
  const read = (bytes: Uint8Array, cuts: readonly number[]): Promise<ServerEvent[]> =>
    all(parseEvents(pieces(bytes, cuts)));

  test('the same events, wherever the connection cuts the bytes', async () => {
    const bytes = Buffer.from(text);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (cuts) => {
        expect(await read(bytes, cuts)).toEqual(events);
      }),
      { seed: 3, numRuns: samples(100, 2000) },
    );
  });
  test('half an event at the end is not told', async () => {
    expect(await read(Buffer.from(`${text}id: 8\nevent: log\ndata: {"a":1}\n`), [])).toEqual(events);
  });
});

describe('an artifact', () => {
  const archiveOf = async (names: readonly string[]): Promise<Uint8Array> => {
    const tar = pack();
    for (const name of names) tar.entry({ name }, `content of ${name}`);
    tar.finalize();
    return gzipSync(Buffer.concat(await all(tar as AsyncIterable<Uint8Array>)));
  };
  test('is unpacked below its folder and nowhere else', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'microtune-unpack-'));
    try {
      expect((await unpack(await archiveOf(['a.c', 'include/b.h']), dir)).ok).toBe(true);
      expect(readFileSync(join(dir, 'include/b.h'), 'utf8')).toBe('content of include/b.h');
      for (const name of ['../evil', '/etc/evil', 'include/../../evil']) {
        const refused = await unpack(await archiveOf(['fine', name]), join(dir, 'other'));
        expect(refused.ok ? 'unpacked' : refused.error.code, name).toBe('ARTIFACT_INVALID');
      }
      expect(() => readFileSync(join(dir, 'other/fine'))).toThrow();
      const broken = await unpack(Buffer.from('no archive'), dir);
      expect(broken.ok ? 'unpacked' : broken.error.code).toBe('ARTIFACT_INVALID');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
