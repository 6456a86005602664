/** What stands around the C: a CMake file, a README, and a program that shows the use. */
import type { Measured, Source } from './index.ts';
import { memoryOf } from './memory.ts';
import type { Network } from './network.ts';
import { type Port, portsOf } from './types.ts';

export function cmakeText(n: Network, sources: readonly Source[]): string {
  const settings = (known: (flag: string) => boolean): string =>
    sources
      .map(({ path, flags }) => ({ path, flags: flags.filter(known).join(';') }))
      .filter(({ flags }) => flags !== '')
      .map(({ path, flags }) => `  set_source_files_properties(${path} PROPERTIES COMPILE_OPTIONS "${flags}")\n`)
      .join('');
  const ofGcc = settings(() => true);
  // Passes that a kernel turns off are GCC's; -O2 holds for all files.
  const ofClang = settings((flag) => flag.startsWith('-O') && flag !== '-O2');
  return `cmake_minimum_required(VERSION 3.16)
project(${n.name} C)

add_library(${n.name} STATIC
${sources.map((s) => `  ${s.path}\n`).join('')})
target_include_directories(${n.name} PUBLIC \${CMAKE_CURRENT_SOURCE_DIR} \${CMAKE_CURRENT_SOURCE_DIR}/include)
target_compile_features(${n.name} PUBLIC c_std_99)
target_compile_options(${n.name} PRIVATE -O2 -fwrapv -Wall -Wextra -Wconversion)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  # See include/mt_kernel.h.
  target_compile_options(${n.name} PRIVATE -fomit-frame-pointer -DMT_NO_FRAME_POINTER)
${ofClang}endif()
${ofGcc === '' ? '' : `# What the schedules were measured with; other compilers do not know all of these flags.\nif(CMAKE_C_COMPILER_ID STREQUAL "GNU")\n${ofGcc}endif()\n`}
option(${n.name.toUpperCase()}_EXAMPLE "Build the example program" OFF)
if(${n.name.toUpperCase()}_EXAMPLE)
  add_executable(${n.name}_example example_main.c)
  target_link_libraries(${n.name}_example ${n.name})
endif()
`;
}

/** Fills every input with 0, 1, 2 … 63, 0, …, runs, and prints every element of every output, a line each. */
export function exampleText(n: Network): string {
  const upper = n.name.toUpperCase();
  const size = (port: Port, kind: 'INPUT' | 'OUTPUT'): string =>
    `${upper}_${kind}${port.suffix}_BYTES / sizeof(${port.ctype})`;
  const fill = portsOf(n.graph, n.graph.inputs).map(
    (p) => `  ${p.ctype} *const in${p.suffix} = ${n.name}_input${p.suffix}(arena);
  for (uint32_t i = 0; i < ${size(p, 'INPUT')}; i++) in${p.suffix}[i] = (${p.ctype})(i % 64u);
`,
  );
  const show = portsOf(n.graph, n.graph.outputs).map(
    (p) => `  const ${p.ctype} *const out${p.suffix} = ${n.name}_output${p.suffix}(arena);
  for (uint32_t i = 0; i < ${size(p, 'OUTPUT')}; i++) ${
    p.ctype === 'float' ? `printf("%.9g\\n", (double)out${p.suffix}[i])` : `printf("%ld\\n", (long)out${p.suffix}[i])`
  };
`,
  );
  return `/* How to use ${n.name}: an arena, one init, then inputs, a run and outputs each time. */
#include "${n.name}.h"

#include <stdio.h>

static uint8_t arena[${upper}_ARENA_BYTES] __attribute__((aligned(16)));

int main(void) {
  if (${n.name}_init(arena) != 0) return 1;
${fill.join('')}  if (${n.name}_run(arena) != 0) return 1;
${show.join('')}  return 0;
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
${sizesText(n, measured)}
Add the .c files (not \`example_main.c\`, not \`microtune_network.c\`) to your build, with this folder and \`include/\` on the
include path and \`-O2 -fwrapv\`; \`CMakeLists.txt\` does that, with the flags each kernel was measured with. Then see
\`example_main.c\`. \`microtune_network.c\` serves only to link the network into microtune's own firmware.

Code that a schedule places in RAM stands in section \`.ramfunc\`: the link script must load it there, or define \`MT_RAM_SECTION\` as
\`".text"\`. Constants that are read from RAM lie in \`.bss.microtune\`; \`${n.name}_init\` copies them there, and \`MT_RAM_DATA\` may name
another section.

| layer | operator | MACs | measured | schedule |
|---|---|---|---|---|
${rows.join('\n')}

\`\`\`
${arena}\`\`\`
`;
}

function sizesText(n: Network, measured: Measured): string {
  if (measured.sizes === undefined) return '';
  const m = memoryOf(n, measured.sizes);
  return `
| | bytes |
|---|---|
| RAM: arena, code and constants placed in RAM, stack | ${m.ramBytes} |
| of these the arena | ${m.arenaBytes} (no plan below ${m.arenaLowerBound}) |
| of these the stack of \`${n.name}_run\` | ${m.stackBytes} |
| flash: code and constants | ${m.flashBytes} |
| of these constants | ${m.constBytes} |
`;
}
