/**
 * A network as a C library: header, run function, a file a kernel, weights, build files, a report. Plain C99, no heap, no
 * state but the arena. Same input, same bytes out.
 */
import { type Graph, tensorBytes } from '../graph/graph.ts';
import type { KernelConstant } from '../program/print-c.ts';
import { drawNetworkArena, type Layer, type Network } from './network.ts';
import { cmakeText, exampleText, readmeText } from './packaging.ts';
import { runtimeHeader, runtimeHeaderName } from './runtime/index.ts';

export { type Choice, drawNetworkArena, identifier, type Layer, type Network, networkOf } from './network.ts';

/** Sizes that are known only after compiling; they go into the header and the report. */
export interface Measured {
  readonly board: string;
  readonly stackBytes?: number;
  readonly codeBytes?: number;
}
export interface Library {
  /** Path below the output folder -> text. */
  readonly files: ReadonlyMap<string, string>;
  /** The .c files with the flags that each needs beyond the common ones. */
  readonly sources: readonly { readonly path: string; readonly flags: readonly string[] }[];
  readonly arenaBytes: number;
  readonly constBytes: number;
}

export const ctypeOf = (dtype: string): string => (dtype === 'float32' ? 'float' : `${dtype}_t`);

export function emitLibrary(n: Network, measured: Measured): Library {
  const files = new Map<string, string>();
  const kernels = n.layers.map((layer) => ({ path: `kernels/${layer.name}.c`, flags: layer.kernel.flags }));
  files.set(`include/${runtimeHeaderName}`, runtimeHeader);
  files.set(`include/${n.name}_kernels.h`, kernelHeader(n));
  files.set(`${n.name}.h`, publicHeader(n, measured));
  files.set(`${n.name}.c`, runText(n));
  files.set('weights.c', weightsText(n));
  n.layers.forEach((layer, i) => files.set(kernels[i]?.path ?? '', layer.kernel.source));
  files.set('microtune_network.c', tableText(n));
  files.set('include/microtune_network.h', networkHeader);
  files.set('example_main.c', exampleText(n));
  const sources = [{ path: `${n.name}.c`, flags: [] }, { path: 'weights.c', flags: [] }, ...kernels];
  files.set('CMakeLists.txt', cmakeText(n, sources));
  files.set('README.md', readmeText(n, measured, drawNetworkArena(n)));
  return {
    files,
    sources,
    arenaBytes: n.plan.bytes,
    constBytes: constantsOf(n).reduce((sum, c) => sum + c.bytes.length, 0),
  };
}

const constantsOf = (n: Network): readonly KernelConstant[] => n.layers.flatMap((l) => l.kernel.constants);
const guard = (name: string, body: string): string => `#ifndef ${name}\n#define ${name}\n\n${body}\n#endif\n`;

function kernelHeader(n: Network): string {
  const lines = n.layers.map((l) => `${l.kernel.prototype};\n`).join('');
  return `/* Kernels of ${n.name}; not for use from outside. */\n${guard(`${n.name.toUpperCase()}_KERNELS_H`, `#include <stdint.h>\n\n${lines}`)}`;
}

/** Offset of each tensor in the arrays of inputs or outputs that the caller hands over. */
function describe(graph: Graph, ids: readonly number[], kind: 'INPUT' | 'OUTPUT', upper: string): string {
  return ids
    .map((id, i) => {
      const t = graph.tensors[id];
      if (t === undefined) return '';
      const tag = ids.length > 1 ? `${kind}${i}` : kind;
      const q = t.quant;
      const quant =
        q === undefined
          ? ''
          : `#define ${upper}_${tag}_SCALE ${Math.fround(q.scale[0] ?? 1).toPrecision(9)}f\n#define ${upper}_${tag}_ZERO_POINT (${q.zeroPoint[0] ?? 0})\n`;
      return `/* ${t.name}: ${t.dtype}[${t.shape.join('][')}] */\n#define ${upper}_${tag}_BYTES ${tensorBytes(t)}u\n${quant}`;
    })
    .join('');
}

function publicHeader(n: Network, measured: Measured): string {
  const upper = n.name.toUpperCase();
  const g = n.graph;
  const stack =
    measured.stackBytes === undefined
      ? ''
      : `/* Most stack that ${n.name}_run uses, bytes. */\n#define ${upper}_STACK_BYTES ${measured.stackBytes}u\n`;
  const flash = constantsOf(n).reduce((sum, c) => sum + c.bytes.length, 0) + (measured.codeBytes ?? 0);
  const ram = n.plan.bytes + (measured.stackBytes ?? 0);
  const param = (id: number): string => ctypeOf(g.tensors[id]?.dtype ?? 'int8');
  const access = (ids: readonly number[], what: 'input' | 'output'): string =>
    ids
      .map(
        (id, i) =>
          `/* Where ${what} ${i} lies in the arena${what === 'input' ? '; write it before each run' : ' after a run'}. */\n${param(id)} *${n.name}_${what}${ids.length > 1 ? i : ''}(void *arena);\n`,
      )
      .join('');
  return [
    `/* ${n.name}: a neural network as plain C. Made by microtune for ${measured.board}; see README.md. */`,
    guard(
      `${upper}_H`,
      [
        '#include <stdint.h>\n',
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        `/* Activations and scratch; 16-byte aligned, given by the caller. */\n#define ${upper}_ARENA_BYTES ${n.plan.bytes}u`,
        `/* Arena${measured.stackBytes === undefined ? '' : ' and stack'}, bytes of RAM in all. */\n#define ${upper}_RAM_BYTES ${ram}u`,
        `/* Constants${measured.codeBytes === undefined ? '' : ' and code'}, bytes of flash. */\n#define ${upper}_FLASH_BYTES ${flash}u`,
        stack,
        describe(g, g.inputs, 'INPUT', upper),
        describe(g, g.outputs, 'OUTPUT', upper),
        `/* Once, before the first run. Returns 0, or -1 if the arena is null or not 16-byte aligned. */\nint ${n.name}_init(void *arena);`,
        `/* One inference: reads the input in the arena, leaves the output there. The input may be overwritten. Returns 0. */\nint ${n.name}_run(void *arena);\n`,
        access(g.inputs, 'input'),
        access(g.outputs, 'output'),
        '#ifdef __cplusplus\n}\n#endif\n',
      ].join('\n'),
    ),
  ].join('\n');
}

/** The C statement that runs a layer on an arena called `a`. */
function callText(n: Network, layer: Layer, index: number): string {
  const args = layer.kernel.params.map((p, i) => {
    if (p.role === 'scratch') return `a + ${n.scratchOf(index)}`;
    const tensor = layer.tensors[i] ?? 0;
    const type = ctypeOf(n.graph.tensors[tensor]?.dtype ?? 'int8');
    return `(${p.role === 'in' ? 'const ' : ''}${type} *)(${p.role === 'in' ? 'const ' : ''}void *)(a + ${n.offsetOf(tensor)})`;
  });
  return `${layer.kernel.symbol}(${args.join(', ')});`;
}

function runText(n: Network): string {
  const g = n.graph;
  const access = (ids: readonly number[], what: 'input' | 'output'): string =>
    ids
      .map((id, i) => {
        const type = ctypeOf(g.tensors[id]?.dtype ?? 'int8');
        return `${type} *${n.name}_${what}${ids.length > 1 ? i : ''}(void *arena) { return (${type} *)(void *)((uint8_t *)arena + ${n.offsetOf(id)}); }\n`;
      })
      .join('');
  const constants = g.outputs.filter((id) => g.tensors[id]?.data !== undefined);
  if (constants.length > 0) throw new Error('an output that is constant has no kernel');
  return [
    `/* Runs ${n.name}: ${n.layers.length} kernels on one arena of ${n.plan.bytes} bytes. */`,
    `#include "${n.name}.h"\n\n#include "${n.name}_kernels.h"\n`,
    `int ${n.name}_init(void *arena) { return arena == 0 || ((uintptr_t)arena & 15u) != 0u ? -1 : 0; }\n`,
    `int ${n.name}_run(void *arena) {\n  uint8_t *const a = arena;\n${n.layers.map((l, i) => `  ${callText(n, l, i)}\n`).join('')}  return 0;\n}\n`,
    access(g.inputs, 'input'),
    access(g.outputs, 'output'),
  ].join('\n');
}

/** Constants as C arrays of words where their length allows: compact, and aligned by type. */
function weightsText(n: Network): string {
  const arrays = constantsOf(n).map((c) => {
    const values = elementsOf(c);
    const lines: string[] = [];
    for (let i = 0; i < values.length; i += 16) lines.push(`  ${values.slice(i, i + 16).join(',')},\n`);
    const declaration = `const ${c.ctype} ${c.symbol}[${values.length}]`;
    const section = c.place === 'ram' ? ' __attribute__((section(".data")))' : '';
    return `extern ${declaration};\n${declaration} __attribute__((aligned(${Math.max(4, c.align)})))${section} = {\n${lines.join('')}};\n`;
  });
  return `/* Weights, biases and multipliers of ${n.name}, laid out as its kernels read them. */\n#include <stdint.h>\n\n${arrays.join('\n')}`;
}
function elementsOf(c: KernelConstant): readonly (string | number)[] {
  const bytes = c.bytes.slice();
  const words = (make: Int8ArrayConstructor | Uint8ArrayConstructor | Int16ArrayConstructor): number[] =>
    Array.from(new make(bytes.buffer));
  switch (c.ctype) {
    case 'int8_t':
      return words(Int8Array);
    case 'uint8_t':
      return words(Uint8Array);
    case 'int16_t':
      return words(Int16Array);
    default:
      // -2147483648 is no C literal of type int32_t.
      return Array.from(new Int32Array(bytes.buffer), (v) => (v === -2147483648 ? '-2147483647-1' : v));
  }
}

/** The table by which the board's server runs and times a network that is linked into the firmware. */
function tableText(n: Network): string {
  const g = n.graph;
  const bytes = (ids: readonly number[]): number =>
    ids.reduce((sum, id) => sum + tensorBytes(g.tensors[id] as Graph['tensors'][number]), 0);
  const copy = (ids: readonly number[], to: 'arena' | 'io', buffer: string): string => {
    let at = 0;
    return ids
      .map((id) => {
        const size = tensorBytes(g.tensors[id] as Graph['tensors'][number]);
        const [there, here] = [`arena + ${n.offsetOf(id)}`, `${buffer} + ${at}`];
        at += size;
        return `  move(${to === 'arena' ? `${there}, ${here}` : `${here}, ${there}`}, ${size}u);\n`;
      })
      .join('');
  };
  const cases = n.layers.map((l, i) => `  case ${i}: ${callText(n, l, i)} return 0;\n`).join('');
  return `/* ${n.name} linked into a board's server: what it announces, and how it is run from there. */
#include "microtune_network.h"

#include "${n.name}.h"
#include "${n.name}_kernels.h"

#define NETWORK_MEMORY __attribute__((section(".microtune_network"), aligned(16)))
static uint8_t NETWORK_MEMORY arena[${n.plan.bytes}];
static uint8_t NETWORK_MEMORY input[${bytes(g.inputs)}];
static uint8_t NETWORK_MEMORY output[${bytes(g.outputs)}];

static void move(uint8_t *to, const uint8_t *from, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) to[i] = from[i];
}

/* Copies the input in; timed apart from the run. */
static int network_init(void) {
  if (${n.name}_init(arena) != 0) return -1;
${copy(g.inputs, 'arena', 'input')}  return 0;
}
static int network_run(void) {
  (void)${n.name}_run(arena);
${copy(g.outputs, 'io', 'output')}  return 0;
}
static int network_layer(uint32_t index) {
  uint8_t *const a = arena;
  switch (index) {
${cases}  default: return -1;
  }
}

const mt_network_table mt_network = {
    network_init, network_run, network_layer, ${n.layers.length}u, input, sizeof input, output, sizeof output,
};
`;
}

/** The same declaration as firmware-rpc/include/microtune_network.h (a test compares them). */
export const networkHeader = `/*
 * A network linked into the firmware: the emitted library's microtune_network.c defines mt_network, the server announces it
 * in HELLO. Without one the weak all-zero table in src/network_none.c is used.
 */
#ifndef MICROTUNE_NETWORK_H
#define MICROTUNE_NETWORK_H

#include <stdint.h>

typedef struct {
    int (*init)(void);
    int (*run)(void);
    int (*layer)(uint32_t index); /* runs one kernel on the arena as it is; for timing a layer at a time */
    uint32_t layers;
    void *input;
    uint32_t input_bytes;
    void *output;
    uint32_t output_bytes;
} mt_network_table;

extern const mt_network_table mt_network;

#endif
`;
