/**
 * Devices at other hosts, beside those of this one. A near device is talked to over its link, command by command; of a far one
 * its host is told what to do with it as a whole. Must stay true: what a far host says of a trial is what it counted and what went
 * wrong; which device, binary and kind that was is known here.
 */
import type { Board } from '../../boards/board.ts';
import type { Result } from '../../compiler/result.ts';
import type { Device, DeviceInfo } from '../../firmware-rpc/host/device.ts';
import type { MeasureResult } from '../types.ts';
import { type Attempt, type PlainAttempt, plainOf } from './attempt.ts';
import { Station } from './runner.ts';

type Told<R> = R extends unknown ? Omit<R, 'kind' | 'device' | 'binary'> : never;
/** A trial as its host tells of it. */
export type FarResult = Told<MeasureResult>;

/** An open device at another host. Its methods throw LinkError where that host, or the way to it, is lost. */
export interface FarDevice {
  readonly info: Pick<DeviceInfo, 'board' | 'uid' | 'buildId'>;
  measure(attempt: PlainAttempt): Promise<FarResult>;
  /** What the known kernel counts there. Failures: HEALTH_WRONG, and those of compiling and linking it. */
  count(): Promise<Result<number>>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

export type AnyDevice = Device | FarDevice;
export const isFar = (device: AnyDevice): device is FarDevice => 'measure' in device;

/** A far device as a pool lends it. */
export class FarStation {
  readonly device: FarDevice;
  private readonly id: string;
  private readonly board: Board;

  /** `id`: what stands for it in records. */
  constructor(device: FarDevice, id: string, board: Board) {
    this.device = device;
    this.id = id;
    this.board = board;
  }

  /** Throws LinkError. */
  async measure(attempt: Attempt): Promise<MeasureResult> {
    const plain = plainOf(attempt, this.board.target);
    const told = await this.device.measure(plain);
    const known = { device: this.id, binary: plain.binary };
    return told.status === 'ok' ? { ...told, ...known, kind: this.board.kind } : { ...told, ...known };
  }
}

export type AnyStation = Station | FarStation;

/** An open device as a pool lends it; `id`: what stands for it in records. */
export const stationOf = (device: AnyDevice, id: string, board: Board, cacheDir: string): AnyStation =>
  isFar(device) ? new FarStation(device, id, board) : new Station(device, id, board, cacheDir, () => performance.now());
