/**
 * The compilers that a board's kernels can be made with. Must stay true: the server, its link and the helpers of C come from the
 * board's GCC either way, so that nothing but the kernels differs.
 */
import type { Target } from './board.ts';
import type { BoardModule } from './module.ts';

/** `gcc`: the one that the board names. */
export const compilers = ['gcc', 'clang'] as const;
export type Compiler = (typeof compilers)[number];

/** A board whose kernels are made by this compiler. */
export function compiledBy(board: BoardModule, compiler: Compiler): BoardModule {
  switch (compiler) {
    case 'gcc': {
      const { kernels, ...target } = board.target;
      return kernels === undefined ? board : { ...board, target };
    }
    case 'clang':
      return { ...board, target: { ...board.target, kernels: { compiler, flags: clangFlags(board.target) } } };
  }
}

/** What Clang must be told beside the board's flags. */
function clangFlags({ isa }: Target): readonly string[] {
  if (isa.startsWith('rv32')) return ['--target=riscv32-unknown-elf'];
  // The host's flags are for the link, too.
  if (!isa.startsWith('armv')) return ['-Wno-unused-command-line-argument'];
  // memcpy and its like by the names that C knows, not by Arm's; the register of the frame pointer for block kernels (mt_kernel.h).
  return ['--target=arm-none-eabi', '-meabi', 'gnu', '-fomit-frame-pointer', '-DMT_NO_FRAME_POINTER'];
}
