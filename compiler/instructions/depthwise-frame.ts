/**
 * The function around a depthwise kernel: one output channel after another, its constants in registers. Must stay true: addresses
 * wait on the stack, where r0-r3 were pushed; a kernel may have an area of its own below them and use r0-r12, lr, s0-s12.
 */
import { advance, park, unpark } from './asm-lines.ts';
import { type Code, rounds, sequence, straight } from './code.ts';
import { channelBytes, type DepthwiseNest } from './depthwise-nest.ts';
import { prepareLines, requantizeOperands, takesOffset, takesScaled } from './requantize-lines.ts';

const saved = ['r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11'] as const;
/** r0-r3, what a function must keep, and where it returns to. */
export const pushedBytes = 4 * (4 + saved.length + 1);
const [planesLeft, eachLeft] = ['s13', 's14'] as const;

/** Distances from SP, above an area of so many bytes: x, y, w, bias, and the requantise constants in their order. */
export const slots = (area: number) => ({
  x: area,
  y: area + 4,
  w: area + 8,
  bias: area + 12,
  constant: (i: number): number => area + pushedBytes + 4 * i,
});

/** The next value of an array whose address is on the stack; `temp` is lost. */
const nextOf = (register: string, slot: number, temp: string): readonly string[] => [
  `ldr ${temp}, [sp, #${slot}]`,
  `ldr ${register}, [${temp}], #4`,
  `str ${temp}, [sp, #${slot}]`,
];

/**
 * A channel's constants: `bias` becomes what its sums begin with, `constants` what the requantise lines read; there are as many of
 * them as operands, and as constantRegisters says.
 */
export function channelConstants(
  n: DepthwiseNest,
  area: number,
  bias: string,
  constants: readonly string[],
  temp: string,
): readonly string[] {
  const q = n.requantize;
  const at = slots(area);
  const roles = Object.keys(requantizeOperands(q));
  return [
    ...nextOf(bias, at.bias, temp),
    ...roles.flatMap((_, i) => nextOf(constants[i] ?? '', at.constant(i), temp)),
    ...(takesScaled(q) ? [`lsl ${bias}, ${bias}, #8`] : []),
    ...(takesOffset(q) ? [`add ${bias}, ${bias}, ${constants[1]}`] : []),
    ...prepareLines(q, { constants, temp }),
  ];
}

/** All output channels: `one` does the next, whose addresses are on the stack; the rows of its plane's x stay where they are. */
export function channels(n: DepthwiseNest, area: number, one: Code): Code {
  const temp = 'r2';
  const at = slots(area);
  const loop = (times: number, label: number, single: string, body: Code): Code => {
    if (times === 1) return body;
    const again = straight(unpark(temp, single), `subs ${temp}, #1`, park(single, temp));
    return sequence(
      straight(`movw ${temp}, #${times}`, park(single, temp)),
      rounds(times, label, sequence(body, again)),
    );
  };
  const step = (slot: number, bytes: number): Code =>
    straight(`ldr ${temp}, [sp, #${slot}]`, ...advance(temp, bytes), `str ${temp}, [sp, #${slot}]`);
  const plane = sequence(loop(n.each, 2, eachLeft, sequence(one, step(at.y, channelBytes(n)))), step(at.x, n.pitch));
  return sequence(
    straight(`push {r0-r3, ${saved.join(', ')}, lr}`, ...(area > 0 ? [`sub sp, sp, #${area}`] : [])),
    loop(n.planes, 1, planesLeft, plane),
    straight(`add sp, sp, #${area + 16}`, `pop {${saved.join(', ')}, pc}`),
  );
}
