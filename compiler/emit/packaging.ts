/** What stands around the C: a CMake file, a README, and a program that shows the use. */
import type { Measured } from './index.ts';
import type { Network } from './network.ts';

export function cmakeText(
  n: Network,
  sources: readonly { readonly path: string; readonly flags: readonly string[] }[],
): string {
  const special = sources.filter((s) => s.flags.length > 0);
  return `cmake_minimum_required(VERSION 3.16)
project(${n.name} C)

add_library(${n.name} STATIC
${sources.map((s) => `  ${s.path}\n`).join('')})
target_include_directories(${n.name} PUBLIC \${CMAKE_CURRENT_SOURCE_DIR} \${CMAKE_CURRENT_SOURCE_DIR}/include)
target_compile_features(${n.name} PUBLIC c_std_99)
target_compile_options(${n.name} PRIVATE -O2 -fwrapv -Wall -Wextra -Wconversion)
# Flags that the schedules were measured with.
${special.map((s) => `set_source_files_properties(${s.path} PROPERTIES COMPILE_OPTIONS "${s.flags.join(';')}")\n`).join('')}
option(${n.name.toUpperCase()}_EXAMPLE "Build the example program" OFF)
if(${n.name.toUpperCase()}_EXAMPLE)
  add_executable(${n.name}_example example_main.c)
  target_link_libraries(${n.name}_example ${n.name})
endif()
`;
}

export function exampleText(n: Network): string {
  const upper = n.name.toUpperCase();
  const many = n.graph.inputs.length > 1;
  return `/* How to use ${n.name}: an arena, one init, then an input, a run and an output each time. */
#include "${n.name}.h"

#include <stdio.h>

static uint8_t arena[${upper}_ARENA_BYTES] __attribute__((aligned(16)));

int main(void) {
  if (${n.name}_init(arena) != 0) return 1;
  int8_t *const input = (int8_t *)${n.name}_input${many ? '0' : ''}(arena);
  for (uint32_t i = 0; i < ${upper}_INPUT${many ? '0' : ''}_BYTES; i++) input[i] = (int8_t)(i % 64u);
  if (${n.name}_run(arena) != 0) return 1;
  const int8_t *const output = (const int8_t *)${n.name}_output${n.graph.outputs.length > 1 ? '0' : ''}(arena);
  for (uint32_t i = 0; i < ${upper}_OUTPUT${n.graph.outputs.length > 1 ? '0' : ''}_BYTES; i++) printf("%d\\n", output[i]);
  return 0;
}
`;
}

export function readmeText(n: Network, measured: Measured, arena: string): string {
  const rows = n.layers.map((l) => {
    const node = n.graph.nodes[l.choice.node];
    const cycles = l.choice.cycles === undefined ? '' : `${l.choice.cycles.count} ${l.choice.cycles.kind}`;
    return `| ${node?.source.index} | ${node?.source.name} | ${l.macs} | ${cycles} | ${l.choice.words} |`;
  });
  return `# ${n.name}
A neural network as plain C99: no heap, no interpreter, one static arena of ${n.plan.bytes} bytes. Made by microtune for ${measured.board}.

Add the .c files (not \`example_main.c\`, not \`microtune_network.c\`) to your build, with this folder and \`include/\` on the
include path and \`-O2 -fwrapv\`; \`CMakeLists.txt\` does that, with the flags each kernel was measured with. Then see
\`example_main.c\`. \`microtune_network.c\` serves only to link the network into microtune's own firmware.

| layer | operator | MACs | measured | schedule |
|---|---|---|---|---|
${rows.join('\n')}

\`\`\`
${arena}\`\`\`
`;
}
