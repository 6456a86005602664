/**
 * The frame that register blocks share: an inline function whose sums, temporaries and two addresses lie in fixed registers
 * around one stretch of assembly. Fixed, because a compiler that may choose among 14 registers for 14 operands sometimes gives up.
 */
export interface RegisterBlock {
  readonly symbol: string;
  /** C types behind the addresses x and w. */
  readonly x: string;
  readonly w: string;
  readonly sums: number;
  /** Words that the assembly uses besides. */
  readonly temps: number;
  /** Instructions; %0… are the sums, then the temporaries, then x and w (see the functions below). */
  readonly lines: readonly string[];
}

/** All that a function may use: neither the stack pointer nor the program counter. */
const registers = ['r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11', 'r12', 'lr'] as const;
/** Most sums and temporaries together. */
export const blockRegisters = registers.length;
export const addressX = 'r0';
export const addressW = 'r1';
/** The register of sum or temporary number n: sums first. */
export function register(n: number): string {
  const name = registers[n];
  if (name === undefined) throw new Error(`a register block has no register ${n}`);
  return name;
}

const names = (b: Pick<RegisterBlock, 'sums'>): readonly string[] => Array.from({ length: b.sums }, (_, i) => `a${i}`);

/** `static inline void symbol(x, w, a0, a1, …)`: the sums are passed as addresses of locals, which inlining makes vanish. */
export const blockSignature = (b: Omit<RegisterBlock, 'temps' | 'lines'>): string =>
  `static inline __attribute__((always_inline)) void ${b.symbol}(const ${b.x} *x, const ${b.w} *w${names(b)
    .map((n) => `, int32_t *${n}`)
    .join('')})`;

export function blockText(b: RegisterBlock): string {
  const sums = names(b).map((a, i) => `  register int32_t s${i} __asm__("${register(i)}") = *${a};\n`);
  const temps = Array.from(
    { length: b.temps },
    (_, i) => `  register uint32_t t${i} __asm__("${register(b.sums + i)}");\n`,
  );
  const written = [
    ...names(b).map((_, i) => `"+r"(s${i})`),
    ...Array.from({ length: b.temps }, (_, i) => `"=&r"(t${i})`),
  ];
  return `${blockSignature(b)} {
  register const ${b.x} *px __asm__("${addressX}") = x;
  register const ${b.w} *pw __asm__("${addressW}") = w;
${sums.join('')}${temps.join('')}  __asm__(
${b.lines.map((l) => `    "${l}\\n"\n`).join('')}    : ${written.join(', ')}
    : "r"(px), "r"(pw)
    : "memory");
${names(b)
  .map((a, i) => `  *${a} = s${i};\n`)
  .join('')}}
`;
}

/** The call, from the lvalues of the sums. */
export const blockCall = (b: Pick<RegisterBlock, 'symbol' | 'sums'>, at: Readonly<Record<string, string>>): string =>
  `${b.symbol}(${at.x}, ${at.w}${names(b)
    .map((_, i) => `, &${at[`acc.${i}`]}`)
    .join('')});`;
