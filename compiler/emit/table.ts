/** The table by which a board's server runs and times a network that is linked into the firmware. */
import { type TensorId, tensorBytes, tensorOf } from '../graph/graph.ts';
import { callText } from './code.ts';
import type { Network } from './network.ts';

/** Where each tensor lies in the arena, and at which byte of the caller's buffer. */
function moves(n: Network, ids: readonly TensorId[]): readonly { arena: number; buffer: number; bytes: number }[] {
  let buffer = 0;
  return ids.map((id) => {
    const bytes = tensorBytes(tensorOf(n.graph, id));
    buffer += bytes;
    return { arena: n.offsetOf(id), buffer: buffer - bytes, bytes };
  });
}

export function tableText(n: Network): string {
  const [inputs, outputs] = [moves(n, n.graph.inputs), moves(n, n.graph.outputs)];
  const total = (list: typeof inputs): number => list.reduce((sum, m) => sum + m.bytes, 0);
  const takeIn = inputs.map((m) => `  move(arena + ${m.arena}, input + ${m.buffer}, ${m.bytes}u);\n`).join('');
  const giveOut = outputs.map((m) => `  move(output + ${m.buffer}, arena + ${m.arena}, ${m.bytes}u);\n`).join('');
  return `/* ${n.name} linked into a board's server: what it announces, and how it is run from there. */
#include "microtune_network.h"

#include "${n.name}.h"
#include "${n.name}_kernels.h"

#define NETWORK_MEMORY __attribute__((section(".microtune_network"), aligned(16)))
static uint8_t NETWORK_MEMORY arena[${Math.max(1, n.plan.bytes)}];
static uint8_t NETWORK_MEMORY input[${Math.max(1, total(inputs))}];
static uint8_t NETWORK_MEMORY output[${total(outputs)}];

static void move(uint8_t *to, const uint8_t *from, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) to[i] = from[i];
}

/* Copies the inputs in; timed apart from the run. */
static int network_init(void) {
  if (${n.name}_init(arena) != 0) return -1;
${takeIn}  return 0;
}
static int network_run(void) {
  (void)${n.name}_run(arena);
${giveOut}  return 0;
}
${layerFunction(n)}
const mt_network_table mt_network = {
    network_init, network_run, network_layer, ${n.layers.length}u, input, ${total(inputs)}u, output, ${total(outputs)}u,
};
`;
}

function layerFunction(n: Network): string {
  const cases = n.layers.map((l, i) => `  case ${i}: ${callText(n, l, i)} return 0;\n`).join('');
  const arena = n.layers.length > 0 ? '  uint8_t *const a = arena;\n' : '';
  return `static int network_layer(uint32_t index) {
${arena}  switch (index) {
${cases}  case ${n.layers.length}: return ${n.name}_init(arena);
  default: return -1;
  }
}
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
    int (*layer)(uint32_t index); /* for timing: one kernel on the arena as it is; behind the last, the library's init alone */
    uint32_t layers;
    void *input;
    uint32_t input_bytes;
    void *output;
    uint32_t output_bytes;
} mt_network_table;

extern const mt_network_table mt_network;

#endif
`;
