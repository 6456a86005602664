/**
 * Runs printed kernels, many in one binary: on the PC (gcc, undefined-behaviour checks on) and on an emulated Cortex-M4
 * (QEMU mps2-an386, bare metal, instructions counted). For tests; the product has its own road.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DType, Program } from '../../compiler/program/index.ts';
import { type KernelC, printC } from '../../compiler/program/print-c.ts';

export interface KernelRun {
  readonly kernel: KernelC;
  readonly program: Program;
  /** Elements of the in buffers, by name. */
  readonly inputs: Readonly<Record<string, ArrayLike<number>>>;
}
export interface RunResult {
  /** Bytes of each out buffer in order, one array after another. */
  readonly bytes: Uint8Array;
  /** Instructions of the call, on the emulated board; 0 on the PC. */
  readonly instructions: number;
  /** False when the kernel wrote beside its outputs or scratch. */
  readonly contained: boolean;
}

export const kernelRun = (program: Program, symbol: string, inputs: KernelRun['inputs']): KernelRun => ({
  kernel: printC(program, symbol),
  program,
  inputs,
});

const ctypes: Readonly<Record<DType, string>> = {
  i8: 'int8_t',
  u8: 'uint8_t',
  i16: 'int16_t',
  i32: 'int32_t',
  f32: 'float',
};
const guard = 16;

/** The warnings that generated C must not cause. */
export const strict = ['-std=c99', '-Wall', '-Wextra', '-Wconversion', '-Werror'];

/** Text of a constant array, as bytes. */
function array(name: string, bytes: Uint8Array, align: number): string {
  const list = bytes.length > 0 ? Array.from(bytes).join(',') : '0';
  return `const union { unsigned char b[${Math.max(1, bytes.length)}]; int32_t w; } ${name}_ __attribute__((aligned(${Math.max(align, 16)}))) = {{${list}}};\n`;
}

function inputBytes(dtype: DType, values: ArrayLike<number>): Uint8Array {
  const a = Array.from(values);
  const typed = {
    i8: () => Int8Array.from(a),
    u8: () => Uint8Array.from(a),
    i16: () => Int16Array.from(a),
    i32: () => Int32Array.from(a),
    f32: () => Float32Array.from(a),
  }[dtype]();
  return new Uint8Array(typed.buffer);
}

const width: Readonly<Record<DType, number>> = { i8: 1, u8: 1, i16: 2, i32: 4, f32: 4 };
const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** main.c: fills, calls, checks guards, prints one line a kernel. */
function mainText(runs: readonly KernelRun[]): string {
  const one = runs.map(({ kernel, program, inputs }, n) => {
    const ins = program.buffers.filter((b) => b.space === 'in');
    const outs = program.buffers.filter((b) => b.space === 'out');
    const given = ins.map((b) => array(`in${n}_${b.name}`, inputBytes(b.dtype, inputs[b.name] ?? []), 16)).join('');
    const sizes = outs.map((b) => count(b.shape) * width[b.dtype]);
    const buffers = [
      ...sizes.map((s, i) => [`out${n}_${i}`, s] as const),
      [`scratch${n}`, kernel.scratchBytes] as const,
    ];
    const memory = buffers.map(
      ([name, s]) => `static uint8_t ${name}[${s + 2 * guard}] __attribute__((aligned(16)));\n`,
    );
    const inArgs = ins.map((b) => `(const ${ctypes[b.dtype]} *)(const void *)&in${n}_${b.name}_`);
    const outArgs = outs.map((b, i) => `(${ctypes[b.dtype]} *)(void *)(out${n}_${i} + ${guard})`);
    const args = [...inArgs, ...outArgs, ...(kernel.scratchBytes > 0 ? [`scratch${n} + ${guard}`] : [])].join(', ');
    const body = [
      ...buffers.map(([name, s]) => `  fill(${name}, ${s + 2 * guard});\n`),
      `  before = now();\n  ${kernel.symbol}(${args});\n  after = now();\n`,
      `  good = 1;\n`,
      ...buffers.map(([name, s]) => `  good &= intact(${name}, ${s});\n`),
      `  result(good, before, after);\n`,
      ...buffers.slice(0, -1).map(([name, s]) => `  hex(${name} + ${guard}, ${s});\n`),
      `  text("\\n");\n`,
    ];
    return {
      top: given + memory.join(''),
      call: `static void run${n}(void) {\n  uint32_t before, after; int good;\n${body.join('')}}\n`,
    };
  });
  return `#include <stdint.h>
void text(const char *s); uint32_t now(void);
${runs.map((r) => `${r.kernel.prototype};\n`).join('')}
static void hex(const uint8_t *p, int n) { char b[65]; int i, k = 0; for (i = 0; i < n; i++) { b[k++] = "0123456789abcdef"[p[i] >> 4]; b[k++] = "0123456789abcdef"[p[i] & 15]; if (k == 64 || i == n - 1) { b[k] = 0; text(b); k = 0; } } }
static void fill(uint8_t *p, int n) { int i; for (i = 0; i < n; i++) p[i] = 0xa5; }
static int intact(const uint8_t *p, int n) { int i, ok = 1; for (i = 0; i < ${guard}; i++) ok &= p[i] == 0xa5 && p[n + ${guard} + i] == 0xa5; return ok; }
static void result(int good, uint32_t before, uint32_t after) { uint8_t b[5]; uint32_t d = after - before; b[0] = (uint8_t)good; b[1] = (uint8_t)(d >> 24); b[2] = (uint8_t)(d >> 16); b[3] = (uint8_t)(d >> 8); b[4] = (uint8_t)d; hex(b, 5); text(" "); }
${one.map((o) => o.top + o.call).join('')}
int main(void) {
${runs.map((_, n) => `  run${n}();\n`).join('')}  return 0;
}
`;
}

function constantsText(runs: readonly KernelRun[]): string {
  const all = runs.flatMap((r) => r.kernel.constants);
  // Defined through a union of bytes under another name and aliased: no conversion of the values by the compiler.
  return `#include <stdint.h>\n${all.map((c) => `${array(c.symbol, c.bytes, c.align)}`).join('')}`;
}

function parse(output: string, runs: readonly KernelRun[]): readonly RunResult[] {
  const lines = output.split('\n').filter((l) => /^[0-9a-f]{10} /.test(l));
  if (lines.length !== runs.length)
    throw new Error(`${runs.length} kernels, ${lines.length} results:\n${output.slice(0, 2000)}`);
  return lines.map((l) => {
    const [head = '', body = ''] = l.split(' ');
    return {
      contained: head.startsWith('01'),
      // A tick of the 25 MHz timer is 40 instructions under -icount shift=0.
      instructions: Number.parseInt(head.slice(2), 16),
      bytes: Uint8Array.from(Buffer.from(body, 'hex')),
    };
  });
}

function inFolder<T>(f: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'mt-kernels-'));
  try {
    return f(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Files of a build: every kernel a file of its own, so that a fault names its line. */
function write(dir: string, runs: readonly KernelRun[]): readonly string[] {
  const put = (name: string, content: string): string => {
    writeFileSync(join(dir, name), content);
    return name;
  };
  put('constants.c', constantsText(runs));
  put('main.c', mainText(runs));
  return runs.map((r, i) => put(`k${i}.c`, r.kernel.source));
}

const symbols = (runs: readonly KernelRun[]): readonly string[] =>
  runs.flatMap((r) => r.kernel.constants.map((c) => `-Wl,--defsym=${c.symbol}=${c.symbol}_`));

/** On the PC. Undefined behaviour (overflow, misaligned words, shifts) ends the program and with it the test. */
export function runOnHost(runs: readonly KernelRun[]): readonly RunResult[] {
  return inFolder((dir) => {
    const files = write(dir, runs);
    writeFileSync(
      join(dir, 'host.c'),
      '#include <stdio.h>\n#include <stdint.h>\nvoid text(const char *s); uint32_t now(void);\nvoid text(const char *s) { fputs(s, stdout); }\nuint32_t now(void) { return 0; }\n',
    );
    const options = { cwd: dir, encoding: 'utf8' as const, stdio: 'pipe' as const, maxBuffer: 1 << 28 };
    // One translation unit a kernel, one call of gcc for all of them.
    const checks = ['-fsanitize=undefined', '-fno-sanitize-recover=all', '-O1', '-fno-pie', '-no-pie'];
    execFileSync(
      'gcc',
      [...strict, ...checks, ...files, 'main.c', 'constants.c', 'host.c', ...symbols(runs), '-o', 'run'],
      options,
    );
    return parse(execFileSync(join(dir, 'run'), [], options), runs);
  });
}

interface Core {
  readonly flags: readonly string[];
  readonly machine: string;
}
export const cortexM4 = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'];
const m4: Core = { flags: cortexM4, machine: 'mps2-an386' };
/** Code of a Cortex-M0+ on the smallest machine with enough memory, a Cortex-M3: the assembler is what refuses larger instructions. */
const m0plus: Core = { flags: ['-mcpu=cortex-m0plus', '-mthumb'], machine: 'mps2-an385' };

const startup = ` .syntax unified
 .thumb
 .section .vectors,"a"
 .word 0x20400000, start+1, fault+1, fault+1, fault+1, fault+1, fault+1
 .text
 .thumb_func
start:
 ldr r0,=0xE000ED88
 ldr r1,[r0]
 ldr r2,=0xF00000
 orrs r1,r2
 str r1,[r0]
 dsb
 isb
 ldr r0,=0x40000000
 movs r1,#0
 mvns r1,r1
 str r1,[r0,#8]
 str r1,[r0,#4]
 movs r1,#1
 str r1,[r0]
 bl main
 b done
 .thumb_func
fault:
 ldr r0,=message
 bl text
 .thumb_func
done:
 movs r0,#0x18
 ldr r1,=0x20026
 bkpt 0xab
 .global text
 .thumb_func
text:
 mov r1,r0
 movs r0,#4
 bkpt 0xab
 bx lr
 .global now
 .thumb_func
now:
 ldr r0,=0x40000000
 ldr r0,[r0,#4]
 mvns r0,r0
 bx lr
 .section .rodata
message: .asciz "FAULT\\n"
`;
const linkScript = `ENTRY(start)
MEMORY { rom : ORIGIN = 0, LENGTH = 4M  ram : ORIGIN = 0x20000000, LENGTH = 4M }
SECTIONS { .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.ramfunc*) } > rom  .data : { *(.data*) } > ram AT > ram  .bss (NOLOAD) : { *(.bss*) *(COMMON) } > ram }
`;

/** On the emulated Cortex-M4; each kernel with its own flags after -O2. `flags` come last. */
export const runOnBoard = (runs: readonly KernelRun[], flags: readonly string[] = []): readonly RunResult[] =>
  runOnCore(m4, runs, flags);
/** The same as Armv6-M code. */
export const runOnSmallCore = (runs: readonly KernelRun[]): readonly RunResult[] => runOnCore(m0plus, runs, []);

function runOnCore(core: Core, runs: readonly KernelRun[], flags: readonly string[]): readonly RunResult[] {
  return inFolder((dir) => {
    const files = write(dir, runs);
    writeFileSync(join(dir, 'start.s'), startup);
    writeFileSync(join(dir, 'link.ld'), linkScript);
    const options = { cwd: dir, encoding: 'utf8' as const, stdio: 'pipe' as const, maxBuffer: 1 << 28 };
    const groups = new Map<string, string[]>();
    files.forEach((f, i) => {
      const key = JSON.stringify([...(runs[i]?.kernel.flags ?? []), ...flags]);
      groups.set(key, [...(groups.get(key) ?? []), f]);
    });
    for (const [key, group] of groups) {
      execFileSync(
        'arm-none-eabi-gcc',
        [...core.flags, ...strict, '-O2', ...(JSON.parse(key) as string[]), '-c', ...group],
        options,
      );
    }
    execFileSync('arm-none-eabi-gcc', [...core.flags, '-O2', '-c', 'main.c', 'constants.c', 'start.s'], options);
    const objects = ['start.o', 'main.o', 'constants.o', ...files.map((f) => f.replace('.c', '.o'))];
    execFileSync(
      'arm-none-eabi-gcc',
      [...core.flags, '-nostartfiles', '-Tlink.ld', ...objects, ...symbols(runs), '-o', 'run.elf'],
      options,
    );
    const machine = [
      '-M',
      core.machine,
      '-nographic',
      '-monitor',
      'none',
      '-serial',
      'null',
      '-semihosting',
      '-icount',
      'shift=0',
    ];
    const done = spawnSync('qemu-system-arm', [...machine, '-kernel', 'run.elf'], {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    return parse(done.stdout + done.stderr, runs).map((r) => ({ ...r, instructions: r.instructions * 40 }));
  });
}
