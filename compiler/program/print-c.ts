/**
 * A bound Program as one C function, meant to be read: loops as loops, unrolled ones as text, register temporaries as
 * variables, scratch as pointers into one area. The same text compiles on every target: what needs a CPU feature stands in
 * #if beside its plain C. Must stay true: the function computes what interpret() computes, byte for byte.
 * The ABI: void SYMBOL(inputs…, outputs…, void *scratch), scratch only where the kernel has some; see KernelC.
 */
import { runtimeHeader, runtimeHeaderName } from '../emit/runtime/index.ts';
import { asmFunctionText } from '../instructions/asm-function.ts';
import { instruction } from '../instructions/index.ts';
import type { Instruction } from '../instructions/instruction.ts';
import { encodeBuffer } from './layouts.ts';
import { allNames, printBody } from './print-c-body.ts';
import { ctypes } from './print-c-expr.ts';
import { localBytes, openUnrolled, scalarised, scratchLayout } from './print-c-memory.ts';
import type { DType, Place, Program } from './program.ts';
import type { Held } from './tensor-layout.ts';
import { allocsIn, callsIn, mapStmts } from './walk.ts';

/** A constant that the kernel reads by name: `extern const CTYPE SYMBOL[]`. Its bytes never pass through a compiler in trials. */
export interface KernelConstant {
  /** Name of the buffer in the Program. */
  readonly name: string;
  readonly symbol: string;
  readonly bytes: Uint8Array;
  readonly ctype: string;
  readonly align: number;
  readonly place: Place;
}
export interface KernelParam {
  readonly name: string;
  readonly dtype: DType | 'bytes';
  readonly role: 'in' | 'out' | 'scratch';
  /** How the tensor of an input or output lies. */
  readonly held?: Held;
}
export interface KernelC {
  readonly symbol: string;
  /** A complete C file but for the constants, which are extern. */
  readonly source: string;
  /** The declaration, without a semicolon. */
  readonly prototype: string;
  readonly constants: readonly KernelConstant[];
  readonly scratchBytes: number;
  /** Local arrays plus what its instructions use; the compiler's own frame comes on top (-fstack-usage tells). */
  readonly stackBytes: number;
  readonly params: readonly KernelParam[];
  /** Compiler flags that the schedule asks for. */
  readonly flags: readonly string[];
  readonly codePlace: Place;
}
export interface PrintOptions {
  /** Lines of the comment above the function: layer, schedule in words, what was measured. */
  readonly notes?: readonly string[];
  /** 'inline' (the default): the runtime header's text stands in the source. 'include': the source includes it by name. */
  readonly runtime?: 'inline' | 'include';
}

export function printC(program: Program, symbol: string, options: PrintOptions = {}): KernelC {
  const constants = kernelConstants(program, symbol);
  const scratch = scratchLayout(program);
  const params = kernelParams(program, scratch.bytes);
  const stmts = openUnrolled(program.body);
  const scalars = scalarised(stmts);
  const names = allNames(program, scalars, new Map(constants.map((c) => [c.name, c.symbol])));
  const codePlace = program.placement.code ?? 'flash';
  const prototype = `void ${symbol}(${params.map((q) => parameter(q, names.buffer(q.name))).join(', ')})`;
  const source = [
    header(program, options),
    options.runtime === 'include' ? `#include "${runtimeHeaderName}"\n` : runtimeHeader,
    constants.map((c) => `extern const ${c.ctype} ${c.symbol}[];\n`).join(''),
    instructionText(program, codePlace),
    `${prototype};\n`,
    `${codePlace === 'ram' ? 'MT_RAM_CODE ' : ''}${prototype} {\n${unusedParams(program, names.buffer)}${printBody(program, stmts, { scalars, names, scratch: scratch.offsets, codePlace })}}\n`,
  ];
  const arrays = allocsIn(program.body).filter((b) => b.space === 'register' && !scalars.has(b.name));
  return {
    symbol,
    source: source.filter((part) => part !== '').join('\n'),
    prototype,
    constants,
    scratchBytes: scratch.bytes,
    stackBytes:
      localBytes(arrays) + Math.max(0, ...callsIn(program.body).map((c) => instruction(c.instr, c.params).stackBytes)),
    params,
    flags: program.flags,
    codePlace,
  };
}

/** `void mt_entry(const uint32_t *a)`: the kernel called with the addresses a[0], a[1], … of its parameters in order. */
export function printTrialEntry(kernel: KernelC): string {
  const args = kernel.params.map((q, i) => {
    const type =
      q.role === 'scratch'
        ? 'void *'
        : `${q.role === 'in' ? 'const ' : ''}${ctypes[q.dtype === 'bytes' ? 'u8' : q.dtype]} *`;
    return `(${type})(uintptr_t)a[${i}]`;
  });
  return `void mt_entry(const uint32_t *a);\nvoid mt_entry(const uint32_t *a) { ${kernel.symbol}(${args.join(', ')}); }\n`;
}

function header(p: Program, options: PrintOptions): string {
  const buffers = p.buffers.filter((b) => b.space === 'in' || b.space === 'out');
  const shapes = buffers.map((b) => `${b.space} ${b.name} ${ctypes[b.dtype]}[${b.shape.join('][')}]`).join(', ');
  const flags = p.flags.length > 0 ? [`compiled with ${p.flags.join(' ')}`] : [];
  const lines = [`${p.name}: ${shapes}`, ...(options.notes ?? []), ...flags];
  return `/*\n${lines.map((l) => ` * ${l.replaceAll('*/', '* /')}\n`).join('')} */`;
}

function kernelParams(p: Program, scratchBytes: number): readonly KernelParam[] {
  const of = (role: 'in' | 'out'): readonly KernelParam[] =>
    p.buffers.filter((b) => b.space === role).map((b) => ({ name: b.name, dtype: b.dtype, role, held: b }));
  const scratch: readonly KernelParam[] =
    scratchBytes > 0 ? [{ name: 'scratch', dtype: 'bytes', role: 'scratch' }] : [];
  return [...of('in'), ...of('out'), ...scratch];
}
function parameter(q: KernelParam, name: string): string {
  if (q.dtype === 'bytes') return `void *${name}`;
  return `${q.role === 'in' ? 'const ' : ''}${ctypes[q.dtype]} *${name}`;
}
/** C's warning about parameters that nothing reads: a kernel whose output is constant has them. */
function unusedParams(p: Program, name: (buf: string) => string): string {
  const read = usedBuffers(p);
  return p.buffers
    .filter((b) => b.space === 'in' && !read.has(b.name))
    .map((b) => `  (void)${name(b.name)};\n`)
    .join('');
}

/** Names of the buffers that statements touch. */
function usedBuffers(p: Program): ReadonlySet<string> {
  const used = new Set<string>();
  mapStmts(
    p.body,
    (e) => {
      if (e.kind === 'load') used.add(e.buf);
      return e;
    },
    (s) => {
      if (s.kind === 'call') for (const w of Object.values(s.operands)) used.add(w.buf);
      return [s];
    },
  );
  return used;
}

/** Alignment that operands ask of the constants they read. */
function constantAlign(p: Program): ReadonlyMap<string, number> {
  const align = new Map<string, number>();
  for (const call of callsIn(p.body)) {
    const { operands } = instruction(call.instr, call.params);
    for (const [role, w] of Object.entries(call.operands)) {
      align.set(w.buf, Math.max(align.get(w.buf) ?? 4, operands[role]?.align ?? 4));
    }
  }
  return align;
}

function kernelConstants(p: Program, symbol: string): readonly KernelConstant[] {
  const used = usedBuffers(p);
  const align = constantAlign(p);
  return p.buffers
    .filter((b) => b.space === 'const' && used.has(b.name))
    .map((b) => {
      if (b.values === undefined) throw new Error(`${p.name}: ${b.name} has no values; bind the program first`);
      return {
        name: b.name,
        symbol: `${symbol}_${b.name}`,
        bytes: encodeBuffer(b),
        ctype: b.layout?.kind === 'packed' ? ctypes.u8 : ctypes[b.dtype],
        align: align.get(b.name) ?? 4,
        place: p.placement[b.name] ?? 'flash',
      };
    });
}

/** The instructions' own text: preludes where the CPU has what they need, plain C elsewhere. Equal texts once. */
function instructionText(p: Program, place: Place): string {
  const used = callsIn(p.body).map((c) => instruction(c.instr, c.params));
  const texts = used.flatMap((i) => [guarded(i, i.prelude, i.portable), functionText(i, place)]);
  return [...new Set(texts)].filter((t) => t !== '').join('\n');
}
const macros: Readonly<Record<string, string>> = {
  dsp: 'MT_DSP',
  fpu: '__ARM_FP',
  mve: '__ARM_FEATURE_MVE',
  thumb: '__thumb__',
};
function functionText(i: Instruction, place: Place): string {
  const made = i.function;
  if (made === undefined) return '';
  const { native, portable } = asmFunctionText(i.symbol, made, place);
  return guarded(i, native, portable);
}
function guarded(i: Instruction, native: string, portable: string): string {
  if (i.features.length === 0 || native === portable) return native;
  const needs = i.features.map((f) => `defined(${macros[f] ?? noMacro(f)})`).join(' && ');
  return `#if ${needs}\n${native}#else\n${portable}#endif\n`;
}
const noMacro = (feature: string): never => {
  throw new Error(`no preprocessor macro for CPU feature ${feature}`);
};
