/** A kernel of ours that is not a candidate: compiled once for a board, linked for wherever a device wants its code. */
import type { Board } from '../../boards/board.ts';
import { ok, type Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { compileUnit, type Linked, linkCandidate, type ObjectFile } from '../../toolchain/index.ts';
import { roomsOf } from './rooms.ts';

export class KnownKernel {
  private readonly board: Board;
  private readonly name: string;
  private readonly source: string;
  private readonly cacheDir: string;
  private object: Promise<Result<ObjectFile>> | undefined;
  /** By where it is to lie. */
  private readonly linked = new Map<number, Linked>();

  /** `source`: C with a function mt_entry. */
  constructor(board: Board, name: string, source: string, cacheDir: string) {
    this.board = board;
    this.name = name;
    this.source = source;
    this.cacheDir = cacheDir;
  }

  /** Loads it and returns its entry. Failures: those of compiling and linking. Throws LinkError. */
  async load(device: Device): Promise<Result<number>> {
    const { base, bytes } = roomsOf(device.info).code;
    const linked = await this.linkedAt(base, bytes);
    if (!linked.ok) return linked;
    for (const image of linked.value.images) await device.load(image.base, image.bytes);
    return ok(linked.value.entry);
  }

  /** What its counts depend on beside device and firmware: source, compiler, flags. */
  async identity(): Promise<Result<string>> {
    const object = await this.compiled();
    return object.ok ? ok(object.value.hash) : object;
  }

  private async compiled(): Promise<Result<ObjectFile>> {
    const { name, source } = this;
    this.object ??= compileUnit({ target: this.board.target, name, source, flags: [], headers: {} }, this.cacheDir);
    const object = await this.object;
    // A compiler that is missing may be installed meanwhile.
    if (!object.ok) this.object = undefined;
    return object;
  }

  private async linkedAt(base: number, maxBytes: number): Promise<Result<Linked>> {
    const known = this.linked.get(base);
    if (known !== undefined) return ok(known);
    const object = await this.compiled();
    if (!object.ok) return object;
    const { target } = this.board;
    const where = { target, object: object.value, base, maxBytes, symbols: {}, entry: 'mt_entry' };
    const made = await linkCandidate(where, this.cacheDir);
    if (made.ok) this.linked.set(base, made.value);
    // Its object may have been deleted since it was compiled.
    else this.object = undefined;
    return made;
  }
}
