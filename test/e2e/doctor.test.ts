/** `microtune boards doctor`: healthy boards pass, each thing that can be wrong with a device is found and told with advice. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { BuiltFirmware } from '../../boards/index.ts';
import { type Device, LinkError } from '../../firmware-rpc/host/device.ts';
import { lookAtDevice, type Patient } from '../../server/cli/doctor/device.ts';
import type { Finding } from '../../server/cli/doctor/finding.ts';
import { lookAtPorts } from '../../server/cli/doctor/machine.ts';
import { main } from '../../server/cli/index.ts';
import { startDaemon } from '../../server/daemon.ts';
import { emulatedBoards } from '../emulated.ts';
import { expectOk, firmwareIn, listening, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, host);
});
afterAll(() => folder.remove());

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function doctor(...args: readonly string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const data = args.includes('--data') ? [] : ['--data', join(folder.dir, 'nothing')];
  const code = await main(['boards', 'doctor', ...args, ...data], {
    stdin: Readable.from([]),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
  });
  return { code, ...said };
}
const findingsOf = (s: Said): readonly Finding[] => JSON.parse(s.out) as readonly Finding[];
/** On a machine with other work a link may be slow, which is a warning. */
const expectWell = (all: readonly Finding[]): void =>
  expect(all.filter((f) => f.state === 'fail' || (f.state === 'warn' && f.check !== 'link'))).toEqual([]);

test('emulated boards that are well: everything is looked at, and the exit code says so', async () => {
  const said = await doctor('--board', 'host', '--board', 'mps2-an386', '--json');
  expect(said.err).toBe('');
  const all = findingsOf(said);
  expectWell(all);
  const checks = ['open', 'firmware', 'memory', 'link', 'counter', 'guard', 'model', 'health'];
  for (const id of ['host', 'mps2-an386'])
    expect(all.filter((f) => f.subject === id).map((f) => f.check)).toEqual(checks);
  expect(all.filter((f) => f.check === 'compiler').map((f) => f.subject)).toEqual(['gcc', 'arm-none-eabi-gcc']);
  expect(said.code).toBe(0);
});

test('so are boards of other families', async () => {
  for (const { id } of emulatedBoards(['microbit', 'nucleo-l4r5zi'])) {
    const all = findingsOf(await doctor('--board', id, '--json'));
    expectWell(all);
    expect(all.filter((f) => f.subject === id)).toHaveLength(8);
  }
});

test('an attached board beside one that does not answer: a table, what to do, and exit code 4', async () => {
  const board = await listening(firmware);
  onTestFinished(() => board.kill());
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const at = server.address();
      server.close(() => resolve(typeof at === 'object' && at !== null ? at.port : 0));
    });
  });
  const said = await doctor('--device', `host=127.0.0.1:${board.port}`, '--device', `host=127.0.0.1:${port}`);
  expect(said.code).toBe(4);
  expect(said.err).toMatch(/^error CHECKS_FAILED: 1 of \d+ checks fail/);
  expect(said.out).toMatch(new RegExp(`127.0.0.1:${board.port} +health +ok`));
  expect(said.out).toMatch(new RegExp(`127.0.0.1:${port} +open +fail +DEVICE_UNREACHABLE`));
  expect(said.out.split('What to do:')[1]).toMatch(new RegExp(`127.0.0.1:${port}, open: Check cable`));
});

test('a machine without tools: each is named with its package, emulators too', async () => {
  vi.stubEnv('PATH', folder.dir);
  onTestFinished(() => void vi.unstubAllEnvs());
  const said = await doctor('--json');
  expect(said.code).toBe(4);
  const missing = findingsOf(said).filter((f) => f.detail.includes('is not in PATH: apt-get install'));
  expect(missing.filter((f) => f.check === 'emulator').map((f) => [f.subject, f.state])).toEqual([
    ['qemu-system-arm', 'warn'],
    ['qemu-system-riscv32', 'warn'],
  ]);
  expect(missing.filter((f) => f.check === 'compiler').map((f) => f.subject)).toContain('arm-none-eabi-gcc');
});

test('ports are told with what to do about their rights', () => {
  const [found] = lookAtPorts([join(folder.dir, 'ttyACM9')]);
  expect(found).toMatchObject({ check: 'port', state: 'fail', advice: expect.stringContaining('dialout') });
  expect(lookAtPorts([firmware.elf])).toMatchObject([{ state: 'ok' }]);
});

test('a board that nobody knows', async () => {
  const said = await doctor('--board', 'avr');
  expect([said.code, said.out]).toEqual([2, '']);
  expect(said.err).toMatch(/^error BOARD_UNKNOWN: .*avr/);
});

test('the list of boards is still there, and its options are its own', async () => {
  const said = { out: '' };
  const terminal = {
    stdin: Readable.from([]),
    stdout: { write: (t: string) => (said.out += t) },
    stderr: process.stderr,
  };
  expect(await main(['boards', '--json'], terminal)).toBe(0);
  expect((JSON.parse(said.out) as readonly { id: string }[]).map((b) => b.id)).toContain('host');
});

test('a daemon that runs tells of its devices', async () => {
  const dataDir = join(folder.dir, 'data');
  const emulate = { host: 1 };
  const daemon = expectOk(
    await startDaemon({ dataDir, host: '127.0.0.1', port: 0, devices: [], emulate, logLevel: 'silent' }),
  );
  onTestFinished(() => daemon.stop());
  const all = findingsOf(await doctor('--json', '--data', dataDir, '--board', 'host'));
  expect(all.find((f) => f.subject === 'host#0')).toMatchObject({ check: 'daemon', state: 'ok' });
});

/** Each: what is done to a device, and where it is found. */
const illnesses: Readonly<
  Record<string, readonly [check: string, state: Finding['state'], says: RegExp, spoil: (d: Device) => Partial<Device>]>
> = {
  'a region that is an alias of another': [
    'memory',
    'fail',
    /load at .* does not hold/,
    (d) => ({
      fill: (at, n, seed, shr) =>
        d.fill(
          at >= d.info.data.base ? d.info.load.base + ((at - d.info.data.base) % d.info.load.bytes) : at,
          n,
          seed,
          shr,
        ),
    }),
  ],
  'a line that loses requests': [
    'link',
    'fail',
    /50 of 50 requests sent again/,
    (d) => ({
      get traffic() {
        return { ...d.traffic, sent: 2 * d.traffic.sent };
      },
    }),
  ],
  'a counter that stands still': [
    'counter',
    'fail',
    /7, 7, 7/,
    (d) => ({
      call: async (request) => {
        const called = await d.call(request);
        return called.ok ? { ...called, cycles: called.cycles.map(() => 7) } : called;
      },
    }),
  ],
  'no guard, although it says so': [
    'guard',
    'fail',
    /a stray write did nothing/,
    (d) => ({
      call: async (request) => {
        const called = await d.call(request);
        return called.ok ? called : { ok: true, cycles: [1], returned: 0, stackBytes: 0 };
      },
    }),
  ],
  'no guard at all': ['guard', 'ok', /none on this board/, (d) => ({ info: { ...d.info, guarded: false } })],
  'another clock': ['firmware', 'warn', /Hz/, (d) => ({ info: { ...d.info, cpuHz: 1_000_001 } })],
  'other firmware': ['firmware', 'warn', /today's is/, (d) => ({ info: { ...d.info, buildId: 'another' } })],
  'wrong arithmetic': [
    'health',
    'fail',
    /something else than it must/,
    (d) => ({ crc: async (at, n) => (n === 4 ? d.crc(at, n) : 0) }),
  ],
  'a link that breaks on the way': [
    'memory',
    'fail',
    /pulled out/,
    () => ({
      fill: async () => {
        throw new LinkError('pulled out');
      },
    }),
  ],
};

test.each(Object.entries(illnesses))('%s is found', async (_name, [check, state, says, spoil]) => {
  const patient: Patient = { name: 'it', board: host, today: firmware.buildId, cacheDir: folder.dir };
  const findings = await lookAtDevice(async () => {
    const opened = await host.open?.({ firmware, bulk: 'uart' });
    if (opened?.ok !== true) throw new Error('the host board does not open');
    const device = opened.value;
    const spoiled = Object.create(device, Object.getOwnPropertyDescriptors(spoil(device))) as Device;
    return { ok: true, value: spoiled };
  }, patient);
  const found = findings.find((f) => f.check === check);
  expect(found).toMatchObject({ subject: 'it', state });
  expect(found?.detail).toMatch(says);
  if (state !== 'ok') expect(found?.advice).not.toBe('');
  // Whatever is wrong, all is looked at.
  expect(findings).toHaveLength(8);
});

test('a board that is another one than it was said to be', async () => {
  const patient: Patient = {
    name: 'it',
    board: { ...host, id: 'another' },
    today: undefined,
    cacheDir: folder.dir,
  };
  const findings = await lookAtDevice(async () => expectOpen(await host.open?.({ firmware, bulk: 'uart' })), patient);
  expect(findings).toMatchObject([{ check: 'open', state: 'fail', detail: expect.stringContaining('it is a host') }]);
});
function expectOpen<T>(opened: T | undefined): T {
  if (opened === undefined) throw new Error('the host board is emulated');
  return opened;
}
