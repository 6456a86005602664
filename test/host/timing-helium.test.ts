/**
 * The timing model's decoder knows every Helium instruction: what GNU as makes of a list of them is decoded, and the kind and
 * the registers are compared with the text. VCVTB and VCVTT between widths are left out: binutils 2.40 encodes wrong registers.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';

const execute = promisify(execFile);
const timing = resolve(import.meta.dirname, '../../boards/common/timing');

/**
 * Kinds by decode.h, and what belongs to them. D, N, M: vector registers; R: a core register; E, O: an even and an odd one;
 * a|b|c: each of them.
 */
const s3 = 's8|s16|s32';
const su3 = 's8|s16|s32|u8|u16|u32';
const su2 = 's16|s32|u16|u32';
const i3 = 'i8|i16|i32';
const z3 = '8|16|32';
const f2 = 'f16|f32';
const kinds: Readonly<Record<string, readonly string[]>> = {
  MVE_ALU: [
    `vabd|vhadd|vhsub|vrhadd|vmax|vmin|vqadd|vqsub|vshl.${su3} D,N,M`,
    `vhadd|vhsub|vqadd|vqsub.${su3} D,N,R`,
    `vshl.${su3} D,R`,
    `vshr.${su3} D,M,#3`,
    'vmovlb|vmovlt.s8|s16|u8|u16 D,M',
    'vshllb|vshllt.s8|s16|u8|u16 D,M,#3',
    'vshllb|vshllt.s8|u8 D,M,#8',
    `vabs|vneg|vqabs|vqneg|vcls|vmaxa|vmina.${s3} D,M`,
    `vclz.${i3} D,M`,
    `vadd|vsub.${i3} D,N,M|R`,
    `vcadd.${i3} D,N,M,#90`,
    `vhcadd.${s3} D,N,M,#270`,
    `vbrsr.${z3} D,N,R`,
    `vdup.${z3} D,R`,
    'vidup|vddup.u8|u16|u32 D,E,#4',
    'viwdup|vdwdup.u8|u16|u32 D,E,O,#4',
    `vsli|vsri.${z3} D,M,#3`,
    `vshl.${i3} D,M,#3`,
    'vand|vbic|vorr|vorn|veor|vpsel D,N,M',
    'vmvn|vmov D,M',
    'vrev16.8 D,M',
    'vrev32.8|16 D,M',
    `vrev64.${z3} D,M`,
    'vorr|vbic.i16|i32 D,#3',
    'vmvn.i32 D,#3',
    'vshlc D,R,#5',
  ],
  MVE_SHIFT: [
    `vrshr.${su3} D,M,#3`,
    `vrshl|vqshl|vqrshl.${su3} D,N,M`,
    `vqshl.${su3} D,M,#3`,
    `vrshl|vqshl|vqrshl.${su3} D,R`,
    `vqshlu.${s3} D,M,#3`,
    'vadc|vadci|vsbc|vsbci.i32 D,N,M',
    'vmullb|vmullt.p8|p16 D,N,M',
  ],
  MVE_NARROW: [
    `vqmovnb|vqmovnt.${su2} D,M`,
    `vqshrnb|vqshrnt|vqrshrnb|vqrshrnt.${su2} D,M,#3`,
    'vmovnb|vmovnt.i16|i32 D,M',
    'vqmovunb|vqmovunt.s16|s32 D,M',
    'vshrnb|vshrnt|vrshrnb|vrshrnt.i16|i32 D,M,#3',
    'vqshrunb|vqshrunt|vqrshrunb|vqrshrunt.s16|s32 D,M,#3',
  ],
  MVE_ACROSS: [
    `vmaxv|vminv.${su3} R,M`,
    `vabav.${su3} R,N,M`,
    `vmaxav|vminav.${s3} R,M`,
    `vmaxnmv|vminnmv|vmaxnmav|vminnmav.${f2} R,M`,
  ],
  MVE_COMPARE: [
    `vcmp.${i3} eq|ne,N,M|R`,
    `vcmp.${s3} ge|lt|gt|le,N,M|R`,
    'vcmp.u8|u16|u32 cs|hi,N,M|R',
    `vcmp.${f2} eq|ge|gt,N,M|R`,
  ],
  MVE_MAC: [
    `vmulh|vrmulh|vmullb|vmullt.${su3} D,N,M`,
    `vaddv|vaddva.${su3} E,M`,
    `vmladav|vmladava.${su3} E,N,M`,
    `vmladavx|vmladavax|vmlsdav|vmlsdava|vmlsdavx.${s3} E,N,M`,
    `vmlaldav|vmlaldava.${su2} E,O,N,M`,
    'vmlaldavx|vmlsldav|vmlsldavax.s16|s32 E,O,N,M',
    'vrmlaldavh|vrmlaldavha.s32|u32 E,O,N,M',
    'vaddlv|vaddlva.s32|u32 E,O,M',
    `vmul.${i3} D,N,M|R`,
    `vqdmulh|vqrdmulh.${s3} D,N,M|R`,
    `vmla|vmlas.${su3} D,N,R`,
    `vqdmlah|vqrdmlah|vqdmlash|vqrdmlash.${s3} D,N,R`,
    `vqdmladh|vqdmladhx|vqrdmladh|vqrdmladhx|vqdmlsdh|vqdmlsdhx|vqrdmlsdh|vqrdmlsdhx.${s3} D,N,M`,
    'vqdmullb|vqdmullt.s16|s32 D,N,M|R',
    'vmov.i8|i16|i32 D,#3',
    'vmov.i64 D,#0xff',
    'vmov.f32 D,#1.0',
  ],
  MVE_FP: [`vadd|vsub|vabd|vmaxnm|vminnm.${f2} D,N,M`, `vabs|vneg|vmaxnma|vminnma.${f2} D,M`, `vcadd.${f2} D,N,M,#90`],
  MVE_FP_MUL: [
    `vmul|vfma|vfms.${f2} D,N,M`,
    `vmul|vfma|vfmas|vadd|vsub.${f2} D,N,R`,
    `vcmla|vcmul.${f2} D,N,M,#90`,
    `vrinta|vrintn|vrintm|vrintp|vrintz|vrintx.${f2} D,M`,
    'vcvt|vcvta|vcvtn|vcvtm|vcvtp.s16|u16.f16 D,M',
    'vcvt|vcvta|vcvtn|vcvtm|vcvtp.s32|u32.f32 D,M',
    'vcvt.f16.s16|u16 D,M',
    'vcvt.f32.s32|u32 D,M',
    'vcvt.f32.s32|u32 D,M,#4',
    'vcvt.s32.f32 D,M,#4',
  ],
  MVE_TRANSFER: ['vmov D[2],D[0],R,O', 'vmov D[3],D[1],R,O'],
  MVE_EXTRACT: ['vmov R,O,D[2],D[0]', 'vmov R,O,D[3],D[1]'],
  MVE_PREDICATE: ['vpnot', 'vctp.8|16|32|64 R'],
  MVE_LOAD: [
    'vldrb.8|s16|u16|s32|u32 D,[L,#8]|[L,#8]!|[L],#8',
    'vldrh.16|s32|u32 D,[L,#8]|[L,#8]!|[L],#8',
    'vldrw.32 D,[L,#8]|[L,#8]!|[L],#8',
    `vld20|vld21.${z3} {q2,q3},[R]|[R]!`,
    `vld40|vld41|vld42|vld43.${z3} {q2,q3,q4,q5},[R]|[R]!`,
  ],
  MVE_STORE: [
    `vstrb.${z3} D,[L,#8]|[L,#8]!|[L],#8`,
    'vstrh.16|32 D,[L,#8]|[L,#8]!|[L],#8',
    'vstrw.32 D,[L,#8]|[L,#8]!|[L],#8',
    `vst20|vst21.${z3} {q2,q3},[R]|[R]!`,
    `vst40|vst41|vst42|vst43.${z3} {q2,q3,q4,q5},[R]|[R]!`,
  ],
  MVE_GATHER: [
    'vldrb.u8|s16|u16|s32|u32 D,[R,M]',
    'vldrh.u16|s32|u32 D,[R,M]|[R,M,uxtw #1]',
    'vldrw.u32 D,[R,M]|[R,M,uxtw #2]|[M,#8]|[M,#8]!',
    'vldrd.u64 D,[R,M]|[R,M,uxtw #3]|[M,#8]|[M,#8]!',
  ],
  MVE_SCATTER: [
    `vstrb.${z3} D,[R,M]`,
    'vstrh.16|32 D,[R,M]|[R,M,uxtw #1]',
    'vstrw.32 D,[R,M]|[R,M,uxtw #2]|[M,#8]|[M,#8]!',
    'vstrd.64 D,[R,M]|[R,M,uxtw #3]|[M,#8]|[M,#8]!',
  ],
};

interface Case {
  readonly kind: string;
  readonly text: string;
}

/** Every alternative of a row. */
function expand(row: string): readonly string[] {
  const [, head = '', operands = ''] = /^(\S+) ?(.*)$/.exec(row) ?? [];
  const [names = '', ...types] = head.split('.');
  const heads = types.reduce((all, t) => all.flatMap((h) => t.split('|').map((x) => `${h}.${x}`)), names.split('|'));
  return heads.flatMap((h) => alternatives(operands).map((o) => `${h} ${o}`));
}
/** a,b|c,d: of the operand that has a choice. Addresses keep their commas. */
function alternatives(operands: string): readonly string[] {
  const bracket = operands.indexOf(',[');
  if (bracket >= 0) {
    const choices = operands.slice(bracket + 1).split('|');
    return choices.map((c) => `${operands.slice(0, bracket)},${c}`);
  }
  const parts = operands.split(',').map((p) => p.split('|'));
  return parts.reduce<readonly string[]>(
    (all, choices) => (all.length === 0 ? choices : all.flatMap((a) => choices.map((c) => `${a},${c}`))),
    [],
  );
}

function withRegisters(text: string, random: Random): string {
  const [, name = '', operands = ''] = /^(\S+) ?(.*)$/.exec(text) ?? [];
  const vectors = new Set<number>();
  while (vectors.size < 3) vectors.add(random.int(0, 7));
  const [d, n, m] = [...vectors];
  const of: Readonly<Record<string, string>> = {
    D: `q${d}`,
    N: `q${n}`,
    M: `q${m}`,
    R: `r${2 * random.int(0, 5)}`,
    L: `r${random.int(0, 7)}`,
    E: `r${2 * random.int(0, 5)}`,
    O: `r${2 * random.int(0, 4) + 1}`,
  };
  return `${name} ${operands.replace(/[DNMRLEO]/g, (x) => of[x] ?? x)}`;
}

interface Decoded {
  readonly kind: string;
  readonly core: readonly number[];
  readonly vectors: readonly number[];
  readonly writesVectors: readonly number[];
  readonly writeback: boolean;
}
const bitsOf = (set: number): number[] => Array.from({ length: 16 }, (_, i) => i).filter((i) => ((set >> i) & 1) === 1);
const vectorsOf = (set: number): number[] =>
  Array.from({ length: 8 }, (_, q) => q).filter((q) => ((set >>> (4 * q)) & 15) !== 0);

/** The enumerators of decode.h, in order. */
function kindNames(): readonly string[] {
  const text = readFileSync(join(timing, 'decode.h'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  return (/enum insn_class \{([^}]*)\}/.exec(text)?.[1] ?? '').split(',').map((n) => n.trim().replace(/^INSN_/, ''));
}

async function decoded(cases: readonly Case[], dir: string): Promise<readonly Decoded[]> {
  const path = (name: string): string => join(dir, name);
  writeFileSync(path('a.s'), `.syntax unified\n.thumb\n${cases.map((c) => c.text).join('\n')}\n`);
  const as = ['-march=armv8.1-m.main+mve.fp+fp.dp', '-mfloat-abi=hard', '-c', path('a.s'), '-o', path('a.o')];
  await execute('arm-none-eabi-gcc', as);
  await execute('arm-none-eabi-objcopy', ['-O', 'binary', path('a.o'), path('a.bin')]);
  const code = readFileSync(path('a.bin'));
  expect(code.length).toBe(4 * cases.length);
  const sources = ['decode.c', 'decode-wide.c', 'decode-access.c', 'decode-fp.c', 'decode-mve.c'];
  const driver = join(import.meta.dirname, 'timing-decode.c');
  await execute('gcc', ['-O1', `-I${timing}`, driver, ...sources.map((f) => join(timing, f)), '-o', path('decode')]);
  const words = cases.map((_, i) => (code.readUInt16LE(4 * i) * 65536 + code.readUInt16LE(4 * i + 2)).toString(16));
  writeFileSync(path('words'), words.join('\n'));
  const { stdout } = await execute('sh', ['-c', `"${path('decode')}" < "${path('words')}"`], { maxBuffer: 1 << 26 });
  const names = kindNames();
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [kind = 0, reads = 0, writes = 0, fpReads = 0, fpWrites = 0, , writeback = 0] = line.split(' ').map(Number);
      return {
        kind: names[kind] ?? '?',
        core: bitsOf(reads | writes),
        vectors: vectorsOf((fpReads | fpWrites) >>> 0),
        writesVectors: vectorsOf(fpWrites),
        writeback: writeback !== 0,
      };
    });
}

const named = (text: string, letter: string): number[] =>
  [...new Set([...text.matchAll(new RegExp(`\\b${letter}(\\d+)`, 'g'))].map((m) => Number(m[1])))].sort(
    (a, b) => a - b,
  );

/** What the text says that the instruction is. */
function expected({ kind, text }: Case): Decoded {
  const operands = text.slice(text.indexOf(' '));
  const vectors = named(operands, 'q');
  const memory = operands.includes('[r');
  const [first] = named(operands.split(/,(?![^{]*\})/)[0] ?? '', 'q');
  const givesNone = ['MVE_STORE', 'MVE_SCATTER', 'MVE_COMPARE', 'MVE_EXTRACT', 'MVE_PREDICATE', 'MVE_ACROSS'];
  const writes = operands.includes('{') ? vectors : first === undefined ? [] : [first];
  const vectorBase = /\[q(\d)[^\]]*\]!/.exec(operands)?.[1];
  const given = givesNone.includes(kind) ? [] : writes;
  return {
    kind,
    core: named(operands, 'r'),
    vectors,
    writesVectors: [...given, ...(vectorBase === undefined ? [] : [Number(vectorBase)])].sort((a, b) => a - b),
    writeback: memory && /!|\],#/.test(operands),
  };
}

test('Helium: kind and registers of each instruction', async () => {
  const random = new Random(samples(1, 7));
  const rows = Object.entries(kinds).flatMap(([kind, all]) => all.flatMap(expand).map((text) => ({ kind, text })));
  const cases = rows.flatMap((r) =>
    Array.from({ length: samples(4, 100) }, () => ({ kind: r.kind, text: withRegisters(r.text, random) })),
  );
  const dir = mkdtempSync(join(tmpdir(), 'microtune-helium-'));
  try {
    const found = await decoded(cases, dir);
    expect(cases.map((c, i) => ({ text: c.text, ...found[i] }))).toEqual(
      cases.map((c) => ({ text: c.text, ...expected(c) })),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
