/** The headers: what a user of the library sees, and the kernels' prototypes. */
import { type TensorId, tensorBytes } from '../graph/graph.ts';
import { floatLiteral } from '../program/print-c-expr.ts';
import type { Measured } from './index.ts';
import { keeper, memoryOf } from './memory.ts';
import { type Network, shownName } from './network.ts';
import { type Port, portsOf } from './types.ts';

const guarded = (name: string, body: string): string => `#ifndef ${name}\n#define ${name}\n\n${body}\n#endif\n`;

export function kernelHeader(n: Network): string {
  const keep = keeper(n);
  const kept = keep === undefined ? [] : [`void ${keep}(void); /* copies what kernels read from RAM; for init */\n`];
  const lines = [...n.layers.map((l) => `${l.kernel.prototype};\n`), ...kept].join('');
  return `/* Kernels of ${n.name}; not for use from outside. */\n${guarded(`${n.name.toUpperCase()}_KERNELS_H`, `#include <stdint.h>\n\n${lines}`)}`;
}

/** Type, size and quantization of an input or output. */
function describe(n: Network, port: Port, kind: 'INPUT' | 'OUTPUT'): string {
  const { tensor: t } = port;
  const macro = `${n.name.toUpperCase()}_${kind}${port.suffix}`;
  const scale = t.quant?.scale[0];
  const lines = [
    `/* ${shownName(t.name)}: ${t.dtype}${t.shape.map((d) => `[${d}]`).join('')} */`,
    `#define ${macro}_BYTES ${tensorBytes(t)}u`,
    ...(scale === undefined
      ? []
      : [
          '/* real = SCALE * (value - ZERO_POINT) */',
          `#define ${macro}_SCALE ${floatLiteral(scale)}`,
          `#define ${macro}_ZERO_POINT (${t.quant?.zeroPoint[0] ?? 0})`,
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Arena, stack, RAM and flash; before anything was compiled only the arena is known. */
function sizeMacros(n: Network, measured: Measured): string {
  const upper = n.name.toUpperCase();
  const arena = [`Activations and scratch; 16-byte aligned, given by the caller.`, 'ARENA', n.plan.bytes] as const;
  const memory = measured.sizes === undefined ? undefined : memoryOf(n, measured.sizes);
  const rows =
    memory === undefined
      ? [arena]
      : [
          arena,
          [`Most stack that ${n.name}_run uses.`, 'STACK', memory.stackBytes] as const,
          ['RAM in all: arena, code and constants placed in RAM, stack.', 'RAM', memory.ramBytes] as const,
          ['Flash in all: code and constants.', 'FLASH', memory.flashBytes] as const,
        ];
  return rows.map(([why, what, bytes]) => `/* ${why} */\n#define ${upper}_${what}_BYTES ${bytes}u\n`).join('');
}

/** Functions that say where inputs and outputs lie. */
function accessors(n: Network, ids: readonly TensorId[], what: 'input' | 'output'): string {
  const when = what === 'input' ? '; write it before each run, which may overwrite it' : ' after a run';
  return portsOf(n.graph, ids)
    .map((p) => `/* Where ${what} ${p.suffix || '0'} lies in the arena${when}. */\n${accessor(n, p, what)};\n`)
    .join('');
}
export const accessor = (n: Network, port: Port, what: 'input' | 'output'): string =>
  `${port.ctype} *${n.name}_${what}${port.suffix}(void *arena)`;

/** What init is for, and what a user may rely on. */
const initWords = (n: Network): string =>
  keeper(n) === undefined
    ? 'Before the first run of each arena; a second time does no harm.'
    : `Before the first run of each arena; a second time does no harm. Copies the constants that kernels read from RAM, which all
   arenas share; without it outputs are wrong.`;

export function publicHeader(n: Network, measured: Measured): string {
  const { graph, name } = n;
  const body = [
    '#include <stdint.h>\n',
    '#ifdef __cplusplus\nextern "C" {\n#endif\n',
    sizeMacros(n, measured),
    ...portsOf(graph, graph.inputs).map((p) => describe(n, p, 'INPUT')),
    ...portsOf(graph, graph.outputs).map((p) => describe(n, p, 'OUTPUT')),
    `/* ${initWords(n)} Returns 0, or -1 if the arena is null or not 16-byte aligned. */\nint ${name}_init(void *arena);\n`,
    `/* One inference: reads the inputs in the arena, leaves the outputs there. Returns 0. */\nint ${name}_run(void *arena);\n`,
    accessors(n, graph.inputs, 'input'),
    accessors(n, graph.outputs, 'output'),
    '#ifdef __cplusplus\n}\n#endif\n',
  ];
  return `/* ${name}: a neural network as plain C. Made by microtune for ${measured.board}; see README.md. */\n${guarded(`${name.toUpperCase()}_H`, body.join('\n'))}`;
}
