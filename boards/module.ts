/** A board with its code: what boards/index.ts lists. */
import type { Result } from '../compiler/result.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import type { Board } from './board.ts';

export interface BuildRequest {
  /** Where the ELF and its .bin go. */
  readonly dir: string;
  readonly name: string;
  /** Objects of a network to link in; none for the plain server. */
  readonly objects: readonly string[];
}
export interface BuiltFirmware {
  readonly elf: string;
  readonly bin: string;
  /** 16 hexadecimal digits; the device answers them in HELLO. */
  readonly buildId: string;
  readonly sizes: { readonly text: number; readonly data: number; readonly bss: number };
}
export interface OpenRequest {
  readonly firmware: BuiltFirmware;
  readonly bulk: 'shared' | 'uart';
}
export interface BoardModule extends Board {
  /** Builds the server, with a network where objects are given. */
  build(request: BuildRequest): Promise<Result<BuiltFirmware>>;
  /** Starts an emulated one; undefined where the board exists only as hardware. */
  open?(request: OpenRequest): Promise<Result<Device>>;
}
