/** The library's own C beside its kernels: the run function, and the constants. */
import { type TensorId, tensorOf } from '../graph/graph.ts';
import type { KernelConstant } from '../program/print-c.ts';
import { ctypes } from '../program/print-c-expr.ts';
import { accessor } from './header.ts';
import { constantsOf, keeper } from './memory.ts';
import type { Layer, Network } from './network.ts';
import { ctypeOf, portsOf } from './types.ts';

/** The C statement that runs a layer on an arena called `a`. */
export function callText(n: Network, layer: Layer, index: number): string {
  const args = layer.kernel.params.map((p, i) => {
    if (p.role === 'scratch') return `a + ${n.scratchOf(index)}`;
    const tensor = layer.tensors[i] ?? -1;
    const laid = p.held?.tensor !== undefined && p.dtype !== 'bytes';
    const type = laid ? ctypes[p.dtype] : ctypeOf(tensorOf(n.graph, tensor).dtype);
    const constant = p.role === 'in' ? 'const ' : '';
    return `(${constant}${type} *)(${constant}void *)(a + ${n.offsetOf(tensor)})`;
  });
  return `${layer.kernel.symbol}(${args.join(', ')});`;
}

export function runText(n: Network): string {
  const { graph, name } = n;
  const constants = constantOutputs(n);
  const steps = [
    ...n.layers.map((layer, i) => `  ${callText(n, layer, i)}\n`),
    ...constants.map((c) => `  copy(a + ${n.offsetOf(c.id)}, ${c.symbol}, sizeof ${c.symbol});\n`),
  ];
  const arena = steps.length > 0 ? '  uint8_t *const a = arena;\n' : '  (void)arena;\n';
  return [
    `/* Runs ${name}: ${n.layers.length} kernels on one arena of ${n.plan.bytes} bytes. */`,
    `#include "${name}.h"\n\n#include "${name}_kernels.h"\n`,
    ...constants.map((c) => `/* An output that no input reaches. */\n${c.declaration}\n`),
    ...(constants.length > 0 ? [copyFunction] : []),
    initText(n),
    `int ${name}_run(void *arena) {\n${arena}${steps.join('')}  return 0;\n}\n`,
    accessorBodies(n, graph.inputs, 'input'),
    accessorBodies(n, graph.outputs, 'output'),
  ].join('\n');
}

function initText(n: Network): string {
  const keep = keeper(n);
  const refuses = 'arena == 0 || ((uintptr_t)arena & 15u) != 0u';
  if (keep === undefined) return `int ${n.name}_init(void *arena) { return ${refuses} ? -1 : 0; }\n`;
  return `int ${n.name}_init(void *arena) {\n  if (${refuses}) return -1;\n  ${keep}();\n  return 0;\n}\n`;
}

const copyFunction = `static void copy(uint8_t *to, const uint8_t *from, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) to[i] = from[i];
}
`;

const accessorBodies = (n: Network, ids: readonly TensorId[], what: 'input' | 'output'): string =>
  portsOf(n.graph, ids)
    .map((p) => `${accessor(n, p, what)} { return (${p.ctype} *)(void *)((uint8_t *)arena + ${n.offsetOf(p.id)}); }\n`)
    .join('');

/** Outputs that are constants of the graph: nothing computes them, so each run copies them into the arena. */
function constantOutputs(
  n: Network,
): readonly { readonly id: TensorId; readonly symbol: string; readonly declaration: string }[] {
  return [...new Set(n.graph.outputs)].flatMap((id) => {
    const { data } = tensorOf(n.graph, id);
    if (data === undefined) return [];
    const symbol = `output_${id}`;
    const declaration = `static const uint8_t ${symbol}[${data.length}] = {\n${listed([...data])}};`;
    return [{ id, symbol, declaration }];
  });
}

/** Numbers as lines of an initialiser. */
function listed(values: readonly (string | number)[]): string {
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 16) lines.push(`  ${values.slice(i, i + 16).join(',')},\n`);
  return lines.join('');
}

/** Bytes of a line of a data cache, or of a flash's buffer: the longest of our boards. Trials begin a line with each constant. */
export const lineBytes = 32;
/** A constant lies in as few lines as in a trial: where a kernel's just fit a small cache, one line more costs it a third. */
const alignOf = ({ align, bytes }: KernelConstant): number =>
  Math.max(4, align, Math.min(lineBytes, 2 ** Math.ceil(Math.log2(Math.max(1, bytes.length)))));

/**
 * Constants as C arrays of their kernels' types, aligned as those read them. What is read from RAM has its values in flash, and
 * a function that brings them over: no start-up code need know of it.
 */
export function weightsText(n: Network): string {
  const constants = constantsOf(n);
  const kept = constants.filter((c) => c.place === 'ram');
  const parts = [
    `/* Weights, biases and multipliers of ${n.name}, laid out as its kernels read them. */\n#include <stdint.h>\n`,
    ...(kept.length > 0 ? [keptMacro] : []),
    ...constants.map((c) => (c.place === 'ram' ? keptArray(n, c) : flashArray(c))),
    ...(kept.length > 0 ? [keepFunction(n, kept)] : []),
  ];
  return parts.join('\n');
}

const aligned = (c: KernelConstant): string => `__attribute__((aligned(${alignOf(c)})))`;
function flashArray(c: KernelConstant): string {
  const values = valuesOf(c);
  const declaration = `const ${c.ctype} ${c.symbol}[${values.length}]`;
  return `extern ${declaration};\n${declaration} ${aligned(c)} = {\n${listed(values)}};\n`;
}
function keptArray(n: Network, c: KernelConstant): string {
  const values = valuesOf(c);
  const declaration = `${c.ctype} ${c.symbol}[${values.length}]`;
  const flash = `static const ${c.ctype} ${c.symbol}_flash[${values.length}] ${aligned(c)} = {\n${listed(values)}};\n`;
  return `/* ${n.name}_init fills it. */\nextern ${declaration};\n${declaration} ${aligned(c)} MT_RAM_DATA;\n${flash}`;
}

const keptMacro = `/* Constants that are read from RAM. */
#ifndef MT_RAM_DATA
#define MT_RAM_DATA __attribute__((section(".bss.microtune")))
#endif
`;

/** Both ends of a copy begin at words. */
const keepFunction = (
  n: Network,
  kept: readonly KernelConstant[],
): string => `typedef uint32_t __attribute__((__may_alias__)) word;

__attribute__((noinline)) static void copy(void *to, const void *from, uint32_t bytes) {
  word *t = (word *)to;
  const word *f = (const word *)from;
  for (; bytes >= 16u; bytes -= 16u, t += 4, f += 4) {
    const word a = f[0], b = f[1], c = f[2], d = f[3];
    t[0] = a, t[1] = b, t[2] = c, t[3] = d;
  }
  for (; bytes >= 4u; bytes -= 4u) *t++ = *f++;
  for (uint32_t i = 0; i < bytes; i++) ((uint8_t *)t)[i] = ((const uint8_t *)f)[i];
}

void ${keeper(n)}(void);
void ${keeper(n)}(void) {
${kept.map((c) => `  copy(${c.symbol}, ${c.symbol}_flash, sizeof ${c.symbol});\n`).join('')}}
`;

function valuesOf(c: KernelConstant): readonly (string | number)[] {
  const { buffer } = c.bytes.slice();
  switch (c.ctype) {
    case 'int8_t':
      return [...new Int8Array(buffer)];
    case 'uint8_t':
      return [...new Uint8Array(buffer)];
    case 'int16_t':
      return [...new Int16Array(buffer)];
    case 'int32_t':
      // -2147483648 is no C literal of type int32_t.
      return Array.from(new Int32Array(buffer), (v) => (v === -2147483648 ? '-2147483647-1' : v));
    default:
      throw new Error(`${c.symbol}: constants of type ${c.ctype} are not emitted`);
  }
}
