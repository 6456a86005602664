/**
 * The plugin's decoder against objdump: every distinct instruction of the C, maths and compiler libraries, and a list of DSP
 * instructions that these lack. objdump's text says what an instruction is, where its registers come from and go to; the
 * decoder must say the same.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workFolder } from '../wire/host-board.ts';

const timing = resolve(import.meta.dirname, '../../boards/common/timing');
const folder = workFolder();
afterAll(() => folder.remove());
const m4 = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'];
const big = { maxBuffer: 1 << 28 } as const;

/** The decoder as a program: hexadecimal codes in, what it says of each out. */
const driver = `#include "decode.h"
#include <stdio.h>
#include <string.h>
int main(void) {
    char text[32];
    while (scanf("%31s", text) == 1) {
        unsigned code = 0;
        sscanf(text, "%x", &code);
        const unsigned size = strlen(text) == 4 ? 2 : 4;
        const uint16_t halves[2] = {(uint16_t)(size == 2 ? code : code >> 16), (uint16_t)code};
        const struct insn i = decode(0, halves, size);
        printf("%u %u %u %u %u %u %u %u\\n", i.kind, i.reads, i.writes, i.address_registers, i.base == NO_REGISTER ? 99 : i.base,
               i.count, i.bytes, i.flags);
    }
}
`;
/** Names of enum insn_class, from the header itself. */
function classes(): readonly string[] {
  const source = `#include "decode.h"\n${'INSN_'}`;
  const text = execFileSync('gcc', ['-E', '-P', `-I${timing}`, '-xc', '-'], { input: source, encoding: 'utf8' });
  const body = /enum insn_class \{([^}]*)\}/.exec(text)?.[1] ?? '';
  return body.split(',').map((s) => s.trim().replace('INSN_', ''));
}

interface Decoded {
  readonly kind: string;
  readonly reads: number;
  readonly writes: number;
  readonly address: number;
  readonly base: number;
  readonly count: number;
  readonly bytes: number;
  readonly flags: number;
}
const flag = { writeback: 1, register: 2, conditional: 4, pc: 8 };

let run: (codes: readonly string[]) => readonly Decoded[];
beforeAll(() => {
  const main = join(folder.dir, 'main.c');
  writeFileSync(main, driver);
  const sources = readdirSync(timing).filter((f) => /^(decode.*|operand2)\.c$/.test(f));
  const program = join(folder.dir, 'decoder');
  const flags = ['-std=c11', '-fsanitize=undefined', '-fno-sanitize-recover', `-I${timing}`];
  execFileSync('gcc', [...flags, main, ...sources.map((f) => join(timing, f)), '-o', program]);
  const names = classes();
  run = (codes) =>
    execFileSync(program, { input: codes.join('\n'), encoding: 'utf8', ...big })
      .trim()
      .split('\n')
      .map((line) => {
        const [kind = 0, reads = 0, writes = 0, address = 0, base = 0, count = 0, bytes = 0, flags = 0] = line
          .split(' ')
          .map(Number);
        return { kind: names[kind] ?? '?', reads, writes, address, base, count, bytes, flags };
      });
});

/** Classes by mnemonic, without condition, width and S. */
const kinds: Readonly<Record<string, string>> = {
  ALU: 'adc add addw adr and asr bic cmn cmp eor lsl lsr mov movt movw mvn neg orn orr ror rrx rsb sbc sub subw teq tst',
  BITFIELD:
    'bfc bfi clz pkhbt pkhtb qadd qadd16 qadd8 qasx qdadd qdsub qsax qsub qsub16 qsub8 rbit rev rev16 revsh sadd16 sadd8 sasx ' +
    'sbfx sel shadd16 shadd8 shasx shsax shsub16 shsub8 ssat ssat16 ssax ssub16 ssub8 sxtab sxtab16 sxtah sxtb sxtb16 sxth ' +
    'uadd16 uadd8 uasx ubfx uhadd16 uhadd8 uqadd8 uqsub8 usat usat16 usub16 usub8 uxtab uxtab16 uxtah uxtb uxtb16 uxth',
  MUL: 'mul',
  MLA: 'mla mls',
  MUL_LONG: 'smull umull',
  MLA_LONG: 'smlal umlal umaal',
  MUL_DSP:
    'smulbb smulbt smultb smultt smlabb smlabt smlatb smlatt smulwb smulwt smlawb smlawt smuad smuadx smusd smusdx smlad smladx ' +
    'smlsd smlsdx smlald smlaldx smlsld smlsldx smlalbb smlalbt smlaltb smlaltt smmul smmulr smmla smmlar smmls smmlsr usad8 usada8',
  DIV: 'sdiv udiv',
  LOAD: 'ldr ldrb ldrh ldrsb ldrsh ldrex',
  STORE: 'str strb strh strex',
  LOAD_DOUBLE: 'ldrd',
  STORE_DOUBLE: 'strd',
  LOAD_MULTIPLE: 'ldmia ldmdb ldm pop',
  STORE_MULTIPLE: 'stmia stmdb stm push',
  PRELOAD: 'pld pli',
  BRANCH: 'b cbz cbnz',
  CALL: 'bl',
  BRANCH_REG: 'bx blx',
  TABLE_BRANCH: 'tbb tbh',
  NOP: 'nop',
  SYSTEM: 'mrs msr',
  BARRIER: 'dmb dsb isb',
  TRAP: 'svc bkpt udf',
  FP_MOVE: 'vabs vneg',
  FP_ADD: 'vadd vsub',
  FP_MUL: 'vmul vnmul',
  FP_MAC: 'vmla vmls vnmla vnmls',
  FP_FUSED: 'vfma vfms vfnma vfnms',
  FP_DIV: 'vdiv',
  FP_SQRT: 'vsqrt',
  FP_COMPARE: 'vcmp vcmpe',
  FP_CONVERT: 'vcvt vcvtr vcvtb vcvtt',
  FP_STATUS: 'vmrs vmsr',
  FP_LOAD: 'vldr',
  FP_STORE: 'vstr',
  FP_LOAD_MULTIPLE: 'vldmia vldmdb vpop',
  FP_STORE_MULTIPLE: 'vstmia vstmdb vpush',
};
const kindOf = new Map(Object.entries(kinds).flatMap(([kind, list]) => list.split(' ').map((m) => [m, kind] as const)));
const conditions = 'eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le';

/** Mnemonic and class of objdump's first word; undefined for what is data, or of another instruction set. */
function nameOf(word: string, operands: string): { readonly name: string; readonly kind: string } | undefined {
  const plain = word
    .replace(/\.(w|n)$/, '')
    .replace(/\.[fsu](8|16|32|64).*$/, '')
    .replace(/\.(8|16|32)$/, '');
  if (/^it[te]*$/.test(plain)) return { name: 'it', kind: 'IT' };
  if (plain.startsWith('vmov'))
    return { name: 'vmov', kind: /\br\d|\b(sl|fp|ip|sp|lr)\b/.test(operands) ? 'FP_TRANSFER' : 'FP_MOVE' };
  const bare = plain.replace(new RegExp(`(${conditions})$`), '');
  const tries = [plain, bare, plain.replace(/s$/, ''), bare.replace(/s$/, '')];
  const name = tries.find((t) => kindOf.has(t));
  return name === undefined ? undefined : { name, kind: kindOf.get(name) ?? '' };
}

const registers = 'r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 sl fp ip sp lr pc'.split(' ');
/** Core registers that a text names, as bits. Ranges do not occur in what objdump prints. */
const bitsOf = (text: string): number =>
  [...text.matchAll(/\b(r\d|sl|fp|ip|sp|lr|pc)\b/g)].reduce(
    (bits, m) => bits | (1 << registers.indexOf(m[1] ?? '')),
    0,
  );

interface Line {
  readonly code: string;
  readonly word: string;
  readonly operands: string;
}
/** Distinct instructions of objdump's output. */
function linesOf(file: string): readonly Line[] {
  const text = execFileSync('arm-none-eabi-objdump', ['-d', file], { encoding: 'utf8', ...big });
  const found = new Map<string, Line>();
  for (const m of text.matchAll(/^\s+[0-9a-f]+:\t([0-9a-f]{4})(?: ([0-9a-f]{4}))?\s*\t(\S+)[ \t]*([^@;<\n]*)/gm)) {
    const code = `${m[1]}${m[2] ?? ''}`;
    found.set(code, { code, word: m[3] ?? '', operands: (m[4] ?? '').trim() });
  }
  return [...found.values()];
}

/** What is wrong with a decoded instruction; undefined where it is as the text says. */
function wrong(line: Line, d: Decoded): string | undefined {
  const named = nameOf(line.word, line.operands);
  if (named === undefined) return `mnemonic ${line.word} is not in the table of this test`;
  const { name, kind } = named;
  const expected = expectedKind(kind, line, name);
  if (!expected.includes(d.kind)) return `class ${d.kind}, not ${expected.join(' or ')}`;
  if (/LOAD|STORE/.test(kind) && kind !== 'PRELOAD') return wrongAccess(line.operands, name, kind, d);
  if (['ALU', 'BITFIELD', 'MUL', 'MLA', 'MUL_LONG', 'MLA_LONG', 'MUL_DSP', 'DIV'].includes(d.kind))
    return wrongRegisters(line.operands, name, d);
  if (d.kind === 'BRANCH') {
    const conditional = name !== 'b' || new RegExp(`^b(${conditions})(\\.[nw])?$`).test(line.word);
    return ((d.flags & flag.conditional) !== 0) === conditional ? undefined : 'conditional or not';
  }
  return undefined;
}

/** A write to PC is a branch; a stack access of one register is a plain one with write-back. */
function expectedKind(kind: string, { operands }: Line, name: string): readonly string[] {
  if (kind === 'ALU' && /^pc\b/.test(operands) && !['cmp', 'cmn', 'tst', 'teq'].includes(name)) return ['BRANCH_REG'];
  if ((name === 'push' || name === 'pop') && !operands.includes(',')) return [kind, kind.replace('_MULTIPLE', '')];
  return [kind];
}

/** Of "r4, [r0, r3, lsl #2]!" and the like. */
function wrongAccess(operands: string, name: string, kind: string, d: Decoded): string | undefined {
  const list = /\{([^}]*)\}/.exec(operands)?.[1];
  const place = /\[([^\]]*)\]/.exec(operands)?.[1];
  const moved = list !== undefined ? list : operands.slice(0, operands.indexOf('['));
  const baseText =
    name === 'push' || name === 'pop' || /^v(push|pop)/.test(name) ? 'sp' : (place ?? operands).split(/[,!]/)[0];
  const base = registers.indexOf((baseText ?? '').trim());
  const writesBack = /push|pop/.test(name) || operands.includes('!') || /\],\s*#/.test(operands);
  const load = kind.includes('LOAD');
  const data = kind.startsWith('FP') ? 0 : bitsOf(moved);
  const stored = name === 'strex' ? bitsOf(moved.split(',')[1] ?? '') : data;
  const baseBit = 1 << base;
  const index = place === undefined ? 0 : bitsOf(place.split(',').slice(1).join(','));
  const status = name === 'strex' ? bitsOf(moved.split(',')[0] ?? '') : 0;
  if (d.base !== base) return `base ${d.base}, not ${base}`;
  if (((d.flags & flag.writeback) !== 0) !== writesBack) return 'write-back';
  if (((d.flags & flag.register) !== 0) !== (index !== 0)) return 'register offset';
  if (d.address !== (baseBit | index)) return `address registers ${d.address.toString(2)}`;
  const writes = (load ? data : status) | (writesBack ? baseBit : 0);
  if (d.writes !== writes) return `writes ${d.writes.toString(2)}, not ${writes.toString(2)}`;
  const reads = baseBit | index | (load ? 0 : stored);
  if (d.reads !== reads) return `reads ${d.reads.toString(2)}, not ${reads.toString(2)}`;
  if (((d.flags & flag.pc) !== 0) !== (load && (data & 0x8000) !== 0)) return 'writes PC';
  if (!kind.startsWith('FP') && list !== undefined && d.count !== list.split(',').length) return `count ${d.count}`;
  const bytes = /^(ldr|str)s?b$/.test(name) ? 1 : /^(ldr|str)s?h$/.test(name) ? 2 : 4;
  return d.bytes === bytes ? undefined : `bytes ${d.bytes}, not ${bytes}`;
}

/** Data processing: the first operand is the destination, two for 64-bit products, none for compares. */
function wrongRegisters(operands: string, name: string, d: Decoded): string | undefined {
  const parts = operands.split(',').map((p) => p.trim());
  const compares = ['cmp', 'cmn', 'tst', 'teq'].includes(name);
  const two = /^(smull|umull|smlal|umlal|umaal|smlald|smlsld|smlal[bt]{2})/.test(name);
  const writes = compares ? 0 : bitsOf(parts.slice(0, two ? 2 : 1).join(','));
  if (d.writes !== writes) return `writes ${d.writes.toString(2)}, not ${writes.toString(2)}`;
  const others = bitsOf(parts.slice(compares ? 0 : two ? 2 : 1).join(',')) & ~0x8000;
  const any = bitsOf(operands) | 0x8000;
  if ((d.reads & others) !== others) return `reads ${d.reads.toString(2)}, not all of ${others.toString(2)}`;
  if ((d.reads & ~any) !== 0) return `reads ${d.reads.toString(2)}, more than ${operands}`;
  // The destination is read where there is only one other operand, or where it is added to or kept in part.
  const keeps = /^(movt|bfi|bfc|umaal|[su]mlal|smlald|smlsld)/.test(name);
  const dyadic = parts.length === 2 && /^(add|sub|and|orr|eor|bic|adc|sbc|mul)$/.test(name);
  const both = keeps || dyadic ? writes : 0;
  return (d.reads & both) === both ? undefined : `does not read its destination, ${operands}`;
}

function disagreements(lines: readonly Line[]): readonly string[] {
  const decoded = run(lines.map((l) => l.code));
  return lines.flatMap((line, i) => {
    const d = decoded[i];
    const why = d === undefined ? 'not decoded' : wrong(line, d);
    return why === undefined ? [] : [`${line.code} ${line.word} ${line.operands}: ${why}`];
  });
}

/** Constants that objdump takes for instructions: of other instruction sets, or of coprocessors that no Cortex-M has. */
const notCode = /^(\.|stf|ldf|stc|ldc|fstm|fldm|cdp|mcr|mrc|cfs|cfl|v?movw[a-z]{2}$|addw[a-z]{2}$|wldr|wstr|<)/;

test('objdump and the decoder agree on every instruction of three libraries', () => {
  const libraries = ['libc.a', 'libm.a', 'libgcc.a'].map((name) =>
    execFileSync('arm-none-eabi-gcc', [...m4, `-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
  );
  const lines = libraries.flatMap(linesOf).filter((l) => !notCode.test(l.word));
  expect(lines.length).toBeGreaterThan(10_000);
  expect(disagreements(lines).slice(0, 40)).toEqual([]);
});

test('and on the DSP, exclusive and control instructions that these lack', () => {
  const three = ['BITFIELD', 'MUL_DSP'].flatMap((k) => (kinds[k] ?? '').split(' '));
  const operands = (name: string): string => {
    if (/^(bfc)/.test(name)) return 'r4, #3, #5';
    if (/^(bfi|sbfx|ubfx)/.test(name)) return 'r4, r5, #3, #5';
    if (/^(ssat|usat)/.test(name)) return 'r4, #7, r5';
    if (/^(clz|rbit|rev|rev16|revsh|[su]xtb|[su]xth|[su]xtb16)$/.test(name)) return 'r8, r9';
    if (/^(smla|smls|smml|usada)/.test(name) && !/^(smlal|smlsld|smlald)/.test(name)) return 'r4, r5, r6, r7';
    if (/^(smlal|smlsld|smlald)/.test(name)) return 'r4, r5, r6, r7';
    return /^smm(la|ls)/.test(name) ? 'r4, r5, r6, r7' : 'r4, r5, r6';
  };
  const text = [
    ...three.map((name) => `${name} ${operands(name)}`),
    'umaal r4, r5, r6, r7',
    'ldrex r4, [r5, #8]',
    'strex r3, r4, [r5, #8]',
    'ldrd r4, r5, [r6], #8',
    'strd r4, r5, [r6, #-8]!',
    'ldrsh r4, [r5, r6, lsl #2]',
    'strb r4, [r5, #-1]!',
    'ldr pc, [r4, r5]',
    'tbb [r4, r5]',
    'tbh [r4, r5, lsl #1]',
    'pld [r4]',
    'dmb',
    'isb',
    'mrs r4, primask',
    'msr basepri, r4',
    'vmla.f32 s0, s1, s2',
    'vnmls.f32 s0, s1, s2',
    'vfnma.f32 s0, s1, s2',
    'vsqrt.f32 s0, s1',
    'vcvt.s32.f32 s0, s0, #4',
    'vldmia r4!, {s0-s7}',
    'vmsr fpscr, r4',
  ].join('\n');
  const source = join(folder.dir, 'dsp.s');
  writeFileSync(source, `.syntax unified\n.thumb\n${text}\n`);
  const object = join(folder.dir, 'dsp.o');
  execFileSync('arm-none-eabi-gcc', [...m4, '-c', source, '-o', object]);
  const lines = linesOf(object);
  expect(lines.length).toBeGreaterThan(90);
  expect(disagreements(lines)).toEqual([]);
});
