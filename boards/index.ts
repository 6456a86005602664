/** Every board. To add one: copy host/ (a process) or mps2-an386/ (an emulator), list it here. */
import { host } from './host/index.ts';
import type { BoardModule } from './module.ts';
import { mps2An386 } from './mps2-an386/index.ts';
import { riscv32Virt } from './riscv32-virt/index.ts';

export type { Board, Kind, Target } from './board.ts';
export { type BoardModule, type BuiltFirmware, type Cause, causes, mapCauses, type TwinCounters } from './module.ts';
export const boards: readonly BoardModule[] = [host, mps2An386, riscv32Virt];
export const boardOf = (id: string): BoardModule | undefined => boards.find((b) => b.id === id);
