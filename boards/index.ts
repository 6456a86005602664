/** Every board. To add one: docs/adding.md says which folder to copy; list it here. */
import { corstone300 } from './corstone-300/index.ts';
import { host } from './host/index.ts';
import { lm3s6965evb } from './lm3s6965evb/index.ts';
import { microbit } from './microbit/index.ts';
import type { BoardModule } from './module.ts';
import { mps2An385 } from './mps2-an385/index.ts';
import { mps2An386 } from './mps2-an386/index.ts';
import { mps2An500 } from './mps2-an500/index.ts';
import { mps2An505 } from './mps2-an505/index.ts';
import { nucleoF446re } from './nucleo-f446re/index.ts';
import { nucleoG0b1re } from './nucleo-g0b1re/index.ts';
import { nucleoG474re } from './nucleo-g474re/index.ts';
import { nucleoH743zi } from './nucleo-h743zi/index.ts';
import { nucleoL4r5zi } from './nucleo-l4r5zi/index.ts';
import { nucleoL4r5ziSinglebank } from './nucleo-l4r5zi-singlebank/index.ts';
import { nucleoU575zi } from './nucleo-u575zi/index.ts';
import { pico } from './pico/index.ts';
import { riscv32Virt } from './riscv32-virt/index.ts';
import { stm32f405 } from './stm32f405/index.ts';

export { type Board, type Kind, kinds, type Target } from './board.ts';
export { type Compiler, compiledBy, compilers } from './compilers.ts';
export {
  type BoardModule,
  type BuiltFirmware,
  type Cause,
  causes,
  mapCauses,
  type Product,
  type Tally,
  type TwinCounters,
} from './module.ts';
export const boards: readonly BoardModule[] = [
  corstone300,
  host,
  lm3s6965evb,
  microbit,
  mps2An385,
  mps2An386,
  mps2An500,
  mps2An505,
  nucleoF446re,
  nucleoG0b1re,
  nucleoG474re,
  nucleoH743zi,
  nucleoL4r5zi,
  nucleoL4r5ziSinglebank,
  nucleoU575zi,
  pico,
  riscv32Virt,
  stm32f405,
];
export const boardOf = (id: string): BoardModule | undefined => boards.find((b) => b.id === id);
