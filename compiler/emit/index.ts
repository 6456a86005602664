/**
 * A network as a C library: header, run function, a file a kernel, weights, build files, a README. Plain C99, no heap, no
 * state but the arena. Same input, same bytes out.
 */
import { runText, weightsText } from './code.ts';
import { kernelHeader, publicHeader } from './header.ts';
import { type CompiledSizes, constantBytes } from './memory.ts';
import { drawNetworkArena, type Network } from './network.ts';
import { cmakeText, exampleText, readmeText } from './packaging.ts';
import { runtimeHeader, runtimeHeaderName } from './runtime/index.ts';
import { networkHeader, tableText } from './table.ts';

export { type CompiledSizes, constantBytes, type Memory, memoryOf } from './memory.ts';
export { identifier, type Network, networkOf } from './network.ts';

/** What the texts say of board and sizes; sizes are known only after compiling. */
export interface Measured {
  readonly board: string;
  readonly sizes?: CompiledSizes;
}
export interface Source {
  readonly path: string;
  /** Compiler flags beyond the common ones. */
  readonly flags: readonly string[];
}
export interface Library {
  /** Path below the output folder -> text. */
  readonly files: ReadonlyMap<string, string>;
  /** The .c files of the library proper: no example, no table for the firmware. */
  readonly sources: readonly Source[];
  readonly arenaBytes: number;
  readonly constBytes: number;
}

export function emitLibrary(n: Network, measured: Measured): Library {
  const kernels = n.layers.map((layer): Source => ({ path: `kernels/${layer.name}.c`, flags: layer.kernel.flags }));
  const sources = [{ path: `${n.name}.c`, flags: [] }, { path: 'weights.c', flags: [] }, ...kernels];
  const files = new Map([
    [`${n.name}.h`, publicHeader(n, measured)],
    [`${n.name}.c`, runText(n)],
    ['weights.c', weightsText(n)],
    ...n.layers.map((layer, i): [string, string] => [kernels[i]?.path ?? '', layer.kernel.source]),
    [`include/${runtimeHeaderName}`, runtimeHeader],
    [`include/${n.name}_kernels.h`, kernelHeader(n)],
    ['include/microtune_network.h', networkHeader],
    ['microtune_network.c', tableText(n)],
    ['example_main.c', exampleText(n)],
    ['CMakeLists.txt', cmakeText(n, sources)],
    ['README.md', readmeText(n, measured, drawNetworkArena(n))],
  ]);
  return { files, sources, arenaBytes: n.plan.bytes, constBytes: constantBytes(n) };
}
