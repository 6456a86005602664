/** A farm under attack: a real daemon on boards that misbehave, and what can be done to both of them from outside. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { databaseName } from '../../db/index.ts';
import type { DeviceBody, DeviceList, JobBody, RecordBody, RecordPage } from '../../server/schemas/index.ts';
import type { Random } from '../unit/random.ts';
import { firmwareIn, workFolder } from '../wire/host-board.ts';
import { compilersOf, type DaemonProcess, startDaemonProcess, until } from './daemon-process.ts';
import { SoakBoard } from './soak-boards.ts';

/** A folder on a small disk of its own where mounting is allowed, else an ordinary one. */
export function smallDisk(mebibytes: number): { readonly dir: string; readonly small: 'mounted' | 'not allowed' } {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-soak-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'microtune-soak', dir]);
  onTestFinished(() => {
    if (status === 0) spawnSync('umount', ['-l', dir]);
    rmSync(dir, { recursive: true, force: true });
  });
  return { dir, small: status === 0 ? 'mounted' : 'not allowed' };
}

export class SoakFarm {
  readonly dir: string;
  readonly boards: readonly SoakBoard[];
  daemon: DaemonProcess;
  /** Ids of all jobs. */
  readonly jobs: string[] = [];
  /** Records that somebody was shown. */
  shown: readonly RecordBody[] = [];
  private readonly args: readonly string[];
  private readonly random: Random;

  static async start(dir: string, boards: number, more: readonly string[], random: Random): Promise<SoakFarm> {
    const folder = workFolder();
    onTestFinished(() => folder.remove());
    const { elf } = await firmwareIn(folder.dir, mps2An386);
    const plugged = await Promise.all(Array.from({ length: boards }, (_, i) => SoakBoard.start(elf, 100 + i)));
    onTestFinished(() => {
      for (const board of plugged) board.end();
    });
    const data = join(dir, 'data');
    mkdirSync(data);
    const devices = plugged.flatMap((b) => ['--device', `${mps2An386.id}=${b.address}`]);
    // Every few trials a device is checked: there are not many here.
    const args = [...devices, '--emulate', `${mps2An386.id}=0`, '--check-every', '6', ...more];
    return new SoakFarm(data, plugged, args, random, await startDaemonProcess(data, args));
  }

  private constructor(
    dir: string,
    boards: readonly SoakBoard[],
    args: readonly string[],
    random: Random,
    daemon: DaemonProcess,
  ) {
    this.dir = dir;
    this.boards = boards;
    this.args = args;
    this.random = random;
    this.daemon = daemon;
  }

  bodies(): Promise<readonly JobBody[]> {
    return Promise.all(this.jobs.map((id) => this.daemon.get<JobBody>(`/v1/jobs/${id}`)));
  }
  /** Trials that count, over all jobs. */
  async done(): Promise<number> {
    return (await this.bodies()).reduce((n, j) => n + j.trials.done, 0);
  }
  async ended(): Promise<boolean> {
    return (await this.bodies()).every((j) => j.endedAt !== null);
  }
  /** All records, oldest first. */
  async records(): Promise<readonly RecordBody[]> {
    const all: RecordBody[] = [];
    for (let cursor = ''; ; ) {
      const page = await this.daemon.get<RecordPage>(`/v1/records?limit=1000${cursor}`);
      all.push(...page.items);
      if (page.next === null) return all;
      cursor = `&cursor=${page.next}`;
    }
  }
  /** Until something is seen, or nothing can be seen any more because all jobs have ended. */
  unlessEnded(what: string, look: () => Promise<boolean>): Promise<true> {
    return until(what, async () => ((await look()) || (await this.ended()) ? true : undefined), 600_000);
  }

  async killDaemon(): Promise<void> {
    this.shown = await this.records();
    await this.daemon.end('SIGKILL');
    this.daemon = await startDaemonProcess(this.dir, this.args);
  }
  async freezeDaemon(): Promise<void> {
    const board = this.random.pick(this.boards);
    process.kill(this.daemon.pid, 'SIGSTOP');
    board.kill();
    process.kill(this.daemon.pid, 'SIGCONT');
  }
  async killBoard(): Promise<void> {
    this.random.pick(this.boards).kill();
  }
  async cutLine(): Promise<void> {
    this.random.pick(this.boards).cut();
  }
  /** It hangs until somebody has noticed. */
  async freezeBoard(): Promise<void> {
    const board = await this.boardAtWork();
    const noticed = await this.noticing(board);
    board.freeze();
    await this.unlessEnded('a device that hangs is noticed', noticed);
    board.thaw();
  }
  /** All of them hang until nobody hopes for one any more. */
  async freezeAll(): Promise<void> {
    for (const board of this.boards) board.freeze();
    await this.unlessEnded('a job waits for devices', () => this.someWaits('NO_DEVICE'));
    for (const board of this.boards) board.thaw();
  }
  /** It lies until somebody has noticed. */
  async lie(about: 'counts' | 'answers'): Promise<void> {
    const board = await this.boardAtWork();
    const noticed = await this.noticing(board);
    board.lie = about;
    await this.unlessEnded('a device that lies is noticed', noticed);
    board.lie = 'none';
  }
  /** In quarantine nobody would notice anything for minutes, nor believe it. */
  private async boardAtWork(): Promise<SoakBoard> {
    const { items } = await this.daemon.get<DeviceList>('/v1/devices');
    const kept = new Set(items.filter((d) => d.state === 'quarantined').map((d) => d.name));
    const working = this.boards.filter((b) => !kept.has(b.address));
    return this.random.pick(working.length > 0 ? working : this.boards);
  }
  /** Looks whether a board has failed since, or is kept from work. */
  private async noticing(board: SoakBoard): Promise<() => Promise<boolean>> {
    const { failures } = await this.deviceOf(board);
    return async () => {
      const now = await this.deviceOf(board);
      return now.failures > failures || now.state === 'quarantined';
    };
  }
  private async deviceOf({ address }: SoakBoard): Promise<DeviceBody> {
    const { items } = await this.daemon.get<DeviceList>('/v1/devices');
    const found = items.find((d) => d.name === address);
    if (found === undefined) throw new Error(`${address} is no device of the farm any more`);
    return found;
  }

  /** Compilers of this farm that run now. */
  async killCompilers(): Promise<void> {
    await this.unlessEnded('a compiler runs', async () => {
      const mine = compilersOf(this.dir);
      for (const pid of mine) kill(pid);
      return mine.length > 0;
    });
  }
  async deleteCache(): Promise<void> {
    // The daemon goes on writing into it.
    rmSync(join(this.dir, 'cache'), { recursive: true, force: true, maxRetries: 10 });
  }
  async lockDatabase(): Promise<void> {
    const other = new Database(join(this.dir, databaseName));
    other.exec('BEGIN IMMEDIATE');
    await this.unlessEnded('a job waits for the database', () => this.someWaits('DB_BUSY'));
    other.exec('ROLLBACK');
    other.close();
  }
  async fillDisk(): Promise<void> {
    const filler = join(this.dir, '..', 'filler');
    fill(filler);
    await this.unlessEnded('a job waits for room', () => this.someWaits('DISK_FULL'));
    rmSync(filler);
  }
  private async someWaits(code: string): Promise<boolean> {
    return (await this.bodies()).some((j) => j.waiting?.code === code);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}

/** Writes until there is no room left. */
function fill(file: string): void {
  const to = openSync(file, 'w');
  try {
    for (let size = 1 << 20; size >= 1; ) {
      try {
        writeSync(to, Buffer.alloc(size));
      } catch {
        size >>= 1;
      }
    }
  } finally {
    closeSync(to);
  }
}
