/** The emitted library: right answers from plain gcc, no warnings anywhere, equal bytes each time, honest at the edges. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { emitLibrary, identifier, type Library, type Network, networkOf } from '../../compiler/emit/index.ts';
import { cmakeText } from '../../compiler/emit/packaging.ts';
import { networkHeader } from '../../compiler/emit/table.ts';
import { elements, type Graph, tensorOf } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { checkGraph, importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { build } from '../../server/build.ts';
import { findTool } from '../../toolchain/index.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { type Schedules, schedulesFor } from '../schedules.ts';
import { Draft, randomNetwork } from '../unit/graphs.ts';
import { channelNetwork, withDeadChannels, withFrozenInputs } from '../unit/passes-graphs.ts';
import { Random } from '../unit/random.ts';
import { expectOk } from '../wire/host-board.ts';
import { exampleSays, exampleShouldSay, inFolder, libraryOf, strict, tool } from './emit-library.ts';

/** A random model as it comes out of a file, before and after passes. */
function modelOf(seed: number): { readonly model: Graph; readonly graph: Graph } {
  for (let r = new Random(seed); ; ) {
    const drawn = r.next() < 0.5 ? randomNetwork(r) : withFrozenInputs(withDeadChannels(channelNetwork(r), r), r);
    if (!checkGraph(drawn).ok) continue;
    // What no TFLite file can say (borders that only passes make) is taken as it is.
    const model = readable(drawn) ?? drawn;
    return { model, graph: runPasses(model, { optional: r.next() < 0.7 ? 'all' : 'none' }) };
  }
}
function readable(graph: Graph): Graph | undefined {
  try {
    const read = importModel(writeTflite(graph), 'random');
    return read.ok ? read.value : undefined;
  } catch {
    return undefined;
  }
}

describe('random networks', () => {
  test.each<Schedules>(['default', { seed: 5 }])('from model to answer, schedules %o', (which) => {
    for (let seed = 1; seed <= samples(6, 100); seed++) {
      const { model, graph } = modelOf(seed);
      const got = exampleSays(libraryOf(graph, which));
      expect(got, `seed ${seed}\n${printGraph(graph)}`).toEqual(exampleShouldSay(model));
    }
  });
});

/** Compiles every .c by itself: the library's, the example, the table; kernels with the flags that their schedules ask for. */
function compileEach(library: Library, compiler: readonly string[], flags: readonly string[]): void {
  inFolder(library, (dir) => {
    const root = [...library.files.keys()].filter((p) => p.endsWith('.c') && !p.includes('/'));
    tool(dir, [...compiler, ...strict, '-O2', ...flags, '-I', '.', '-I', 'include', '-c', ...root]);
    const kernels = library.sources.filter((s) => s.path.startsWith('kernels/'));
    for (const wanted of new Set(kernels.map((k) => k.flags.join(' ')))) {
      const alike = kernels.filter((k) => k.flags.join(' ') === wanted).map((k) => k.path);
      const own = [...flags, ...(compiler.includes('clang') ? [] : wanted.split(' ').filter((f) => f !== ''))];
      const include = ['-I', '.', '-I', 'include', '-I', 'kernels'];
      tool(dir, [...compiler, ...strict, '-O2', ...own, ...include, '-c', ...alike]);
    }
  });
}

describe('no compiler has a word to say', () => {
  const cortexM4 = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'];
  const clangM4 = ['--target=arm-none-eabi', ...cortexM4, '-isystem', '/usr/lib/arm-none-eabi/include'];
  const compilers: readonly (readonly [string, readonly string[]])[] = [
    ['gcc', []],
    ['arm-none-eabi-gcc', cortexM4],
    ['arm-none-eabi-gcc', ['-mcpu=cortex-m0plus', '-mthumb']],
    ['clang', []],
    ['clang', clangM4],
    ['clang', [...clangM4, '-fomit-frame-pointer', '-DMT_NO_FRAME_POINTER']],
  ];
  if (findTool('clang') === undefined) console.log('clang is not installed: its warnings are not checked');
  const kws = goldenModel('kws');
  for (const [compiler, flags] of compilers) {
    const absent = findTool(compiler) === undefined;
    test.skipIf(absent)(`${compiler} ${flags.join(' ')}`, () => {
      const graphs = Array.from({ length: samples(1, 30) }, (_, i) => modelOf(100 + i).graph);
      const golden = kws === undefined ? undefined : importModel(kws.bytes, 'kws');
      if (golden?.ok === true) graphs.push(runPasses(golden.value, { optional: 'all' }));
      for (const [i, graph] of graphs.entries()) compileEach(libraryOf(graph, { seed: i + 1 }), [compiler], flags);
    });
  }
});

if (findTool('cmake') === undefined) console.log('cmake is not installed: CMakeLists.txt is not tried');
test('cmake builds the library and its example', { skip: findTool('cmake') === undefined }, () => {
  const { model, graph } = modelOf(3);
  const got = inFolder(libraryOf(graph, { seed: 1 }), (dir) => {
    tool(dir, ['cmake', '-S', '.', '-B', 'build', '-DNET_EXAMPLE=ON', '-DCMAKE_C_FLAGS=-Werror']);
    tool(dir, ['cmake', '--build', 'build']);
    return tool(dir, ['./build/net_example']).split('\n').slice(0, -1);
  });
  expect(got).toEqual(exampleShouldSay(model));
});

test('CMake gives Clang the level of a kernel, and GCC all of its flags', () => {
  const sources = [
    { path: 'a.c', flags: ['-O3', '-fno-ivopts'] },
    { path: 'b.c', flags: ['-O2', '-fno-tree-pre'] },
    { path: 'c.c', flags: [] },
  ];
  const text = cmakeText({ name: 'net' } as Network, sources);
  const settings = [...text.matchAll(/set_source_files_properties\((.*)\)|CMAKE_C_COMPILER_ID \w+ "(\w+)"/g)];
  expect(settings.map(([, set, compiler]) => set ?? compiler)).toEqual([
    'Clang',
    'a.c PROPERTIES COMPILE_OPTIONS "-O3"',
    'GNU',
    'a.c PROPERTIES COMPILE_OPTIONS "-O3;-fno-ivopts"',
    'b.c PROPERTIES COMPILE_OPTIONS "-O2;-fno-tree-pre"',
  ]);
});

test('equal bytes on every run, from any working directory', () => {
  const hashes = [import.meta.dirname, tmpdir()].map((cwd) => {
    const out = mkdtempSync(join(tmpdir(), 'mt-emit-'));
    try {
      const script = join(import.meta.dirname, 'emit-hashes.ts');
      return execFileSync(process.execPath, [script, out], { cwd, encoding: 'utf8' });
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });
  expect(hashes[0]).toContain('report.json');
  expect(hashes[0]).toContain('firmware/net.elf');
  expect(hashes[1]).toBe(hashes[0]);
});

const quant = { scale: [0.1], zeroPoint: [-3], axis: 0 };

describe('graphs at the edge', () => {
  const image = (d: Draft): number => d.input('int8', [1, 3, 3, 2], quant);
  const constant = (d: Draft): number => d.constant('int8', [5], [-90, 90], quant);
  const edge: Readonly<Record<string, (d: Draft) => readonly number[]>> = {
    'the output is the input': (d) => [image(d)],
    'the output is a view of the input': (d) => [
      d.node('reshape', { shape: [18] }, [image(d)], { dtype: 'int8', shape: [18], quant }),
    ],
    'the output is a constant': (d) => [image(d), constant(d)].slice(1),
    'an output is a constant, another is computed, one stands twice': (d) => {
      const y = d.node('relu', {}, [image(d)], { dtype: 'int8', quant });
      return [constant(d), y, y];
    },
    'an input that a layer could overwrite is an output too': (d) => {
      const x = image(d);
      return [d.node('relu', {}, [x], { dtype: 'int8', quant: { ...quant, scale: [0.2] } }), x];
    },
    'a sum of a tensor and itself, in place': (d) => {
      const x = d.node('relu', {}, [image(d)], { dtype: 'int8', quant: { ...quant, scale: [0.2] } });
      return [d.node('add', { activation: 'none' }, [x, x], { dtype: 'int8', quant: { ...quant, scale: [0.4] } })];
    },
  };
  test.each(Object.entries(edge))('%s', (_, build) => {
    const d = new Draft(new Random(2), 'tflite');
    const graph = d.finish('edge', build(d));
    const library = libraryOf(runPasses(graph, { optional: 'all' }), 'default');
    expect(exampleSays(library)).toEqual(exampleShouldSay(graph));
    compileEach(library, ['gcc'], []);
  });
});

test('a constant lies in no more lines of a cache than it must, as in a trial', () => {
  const { files } = libraryOf(runPasses(randomNetwork(new Random(8)), { optional: 'all' }), { seed: 1 });
  const text = new Map(files).get('weights.c') ?? '';
  const arrays = [...text.matchAll(/^const u?int(\d+)_t \w+\[(\d+)\] __attribute__\(\(aligned\((\d+)\)\)\)/gm)];
  expect(arrays.length).toBeGreaterThan(3);
  for (const [line, bits, count, align] of arrays) {
    const bytes = (Number(bits) / 8) * Number(count);
    // At any multiple of its alignment.
    const most = Math.max(...[0, 1, 2, 3].map((k) => k * Number(align)).map((at) => linesOf(at % 32, bytes)));
    expect(most, line).toBe(Math.ceil(bytes / 32));
  }
});
const linesOf = (at: number, bytes: number): number => Math.floor((at + bytes - 1) / 32) - Math.floor(at / 32) + 1;

test('elementwise layers write over their input: the arena holds one tensor, not two', () => {
  const d = new Draft(new Random(1), 'tflite');
  let at = d.input('int8', [1, 8, 8, 4], quant);
  for (const scale of [0.2, 0.3, 0.4])
    at = d.node('relu', {}, [at], { dtype: 'int8', quant: { ...quant, scale: [scale] } });
  const graph = d.finish('chain', [at]);
  for (const which of ['default', { seed: 1 }, { seed: 2 }] as const) {
    const library = libraryOf(graph, which);
    expect(library.arenaBytes).toBe(256);
    expect(exampleSays(library)).toEqual(exampleShouldSay(graph));
  }
});

test('convolutions shift their image by a row or a part of it: the arena holds one and a bit', () => {
  const d = new Draft(new Random(1), 'tflite');
  const attrs = { stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], activation: 'relu' };
  let at = d.input('int8', [1, 12, 12, 8], quant);
  for (let left = 3; left > 0; left--) {
    const w = d.constant('int8', [8, 3, 3, 8], [-127, 127], { scale: [0.004], zeroPoint: [0], axis: 0 });
    at = d.node('conv2d', attrs, [at, w, -1], { dtype: 'int8', quant: { ...quant, scale: [0.2] } });
  }
  const graph = d.finish('shifting', [at]);
  for (const which of ['default', { seed: 1 }, { seed: 2 }, { seed: 3 }] as const) {
    const library = libraryOf(graph, which);
    if (which === 'default') expect(library.arenaBytes).toBeLessThan(1.5 * 12 * 12 * 8);
    expect(exampleSays(library)).toEqual(exampleShouldSay(graph));
  }
});

test('what the header says', () => {
  const d = new Draft(new Random(1), 'tflite');
  const x = d.input('float32', [2, 3]);
  const q = d.node('quantize', {}, [x], { dtype: 'int8', quant });
  const graph = d.finish('header', [q]);
  const network = networkOf(
    graph,
    'net',
    schedulesFor(graph, [], 'default').map((s) => s.choice),
  );
  const sizes = { flashBytes: 120, ramBytes: 20, stackBytes: 16 };
  expect(emitLibrary(network, { board: 'some-board', sizes }).files.get('net.h')).toBe(header);
});
const header = `/* net: a neural network as plain C. Made by microtune for some-board; see README.md. */
#ifndef NET_H
#define NET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Activations and scratch; 16-byte aligned, given by the caller. */
#define NET_ARENA_BYTES 48u
/* Most stack that net_run uses. */
#define NET_STACK_BYTES 16u
/* RAM in all: arena, code and constants placed in RAM, stack. */
#define NET_RAM_BYTES 84u
/* Flash in all: code and constants. */
#define NET_FLASH_BYTES 120u

/* in0: float32[2][3] */
#define NET_INPUT_BYTES 24u

/* t1: int8[2][3] */
#define NET_OUTPUT_BYTES 6u
/* real = SCALE * (value - ZERO_POINT) */
#define NET_OUTPUT_SCALE 0.100000001f
#define NET_OUTPUT_ZERO_POINT (-3)

/* Before the first run of each arena; a second time does no harm. Returns 0, or -1 if the arena is null or not 16-byte aligned. */
int net_init(void *arena);

/* One inference: reads the inputs in the arena, leaves the outputs there. Returns 0. */
int net_run(void *arena);

/* Where input 0 lies in the arena; write it before each run, which may overwrite it. */
float *net_input(void *arena);

/* Where output 0 lies in the arena after a run. */
int8_t *net_output(void *arena);

#ifdef __cplusplus
}
#endif

#endif
`;

describe('a user in C++', () => {
  // Schedules of boards that read constants from RAM as well: there init has something to do.
  const file = join(import.meta.dirname, '../../examples/bearing-fault/bearing-fault.tflite');
  const graph = runPasses(expectOk(importModel(new Uint8Array(readFileSync(file)), 'net')), { optional: 'all' });
  const choices = schedulesFor(graph, ['dsp', 'places'], { seed: 2 }).map((s) => s.choice);
  const library = emitLibrary(networkOf(graph, 'net', choices), { board: 'test' });
  const should = `${exampleShouldSay(graph).join('\n')}\n`;

  test('calls init twice, has two arenas, and runs them in turn', () => {
    expect(library.files.get('weights.c')).toContain('MT_RAM_DATA;');
    expect(library.files.get('net.h')).toContain('without it outputs are wrong');
    expect(said('init(a); init(a); init(b); fill(a); fill(b); run(b); run(a); show(a); show(b);')).toBe(
      should + should,
    );
  });
  test('forgets init: outputs are wrong, as the header says', () => {
    expect(said('fill(a); run(a); show(a);')).not.toBe(should);
    expect(said('init(a); fill(a); run(a); show(a);')).toBe(should);
  });
  test('gives init no arena, or one that is not aligned', () => {
    expect(said('std::printf("%d %d", net_init(nullptr), net_init(a + 8));')).toBe('-1 -1');
  });

  /** What a C++ program prints whose main is `body`. */
  function said(body: string): string {
    const [x = -1, y = -1] = [graph.inputs[0], graph.outputs[0]];
    const [input, output] = [x, y].map((t) => elements(tensorOf(graph, t).shape));
    const text = `#include "net.h"
#include <cstdio>
alignas(16) static uint8_t a[NET_ARENA_BYTES], b[NET_ARENA_BYTES];
static void init(void *at) { if (net_init(at) != 0) std::puts("refused"); }
static void run(void *at) { if (net_run(at) != 0) std::puts("failed"); }
static void fill(void *at) { for (unsigned i = 0; i < ${input}u; i++) net_input(at)[i] = static_cast<int8_t>(i % 64u); }
static void show(void *at) { for (unsigned i = 0; i < ${output}u; i++) std::printf("%d\\n", net_output(at)[i]); }
int main() { ${body} }
`;
    return inFolder(library, (dir) => {
      writeFileSync(join(dir, 'user.cpp'), text);
      const sources = library.sources.map((s) => s.path);
      tool(dir, ['gcc', ...strict, '-O1', '-fwrapv', '-I', '.', '-I', 'include', '-c', ...sources]);
      const objects = readdirSync(dir).filter((f) => f.endsWith('.o'));
      const words = ['-std=c++11', '-Wall', '-Wextra', '-Wpedantic', '-Wno-unused', '-Werror'];
      tool(dir, ['g++', ...words, '-I', '.', 'user.cpp', ...objects, '-o', 'user']);
      return tool(dir, ['./user']);
    });
  }
});

test('a network that does not fit is refused before anything is compiled, with the bytes by layer', async () => {
  const graph = modelOf(2).graph;
  const selected = schedulesFor(graph, [], 'default');
  const options = { graph, name: 'net', selected, outDir: '/nonexistent', cacheDir: '/nonexistent' };
  const small = await Promise.all([
    build({ ...options, board: { ...host, flashBytes: 3 } }),
    build({ ...options, board: { ...host, ramBytes: 3 } }),
  ]);
  expect(small).toMatchObject([
    {
      ok: false,
      error: { code: 'MODEL_TOO_BIG', detail: expect.stringMatching(/constants by layer: net_\d\d_\w+ \d+/) },
    },
    { ok: false, error: { code: 'MODEL_TOO_BIG', detail: expect.stringMatching(/largest blocks: \w+ \d+/) } },
  ]);
});

test('names become C identifiers that clash with nothing a library meets', () => {
  const names = ['MobileNet v1.0', '3d', 'weights', '', '__x__', 'größe'];
  expect(names.map(identifier)).toEqual(['mobilenet_v1_0', 'm_3d', 'm_weights', 'm_', 'x', 'gr_e']);
  // Headers that ours or a user's files include, and targets of CMake.
  for (const taken of ['stdint', 'stdio', 'string', 'mt_kernel', 'all', 'test'])
    expect(identifier(taken)).toBe(`m_${taken}`);
  expect(identifier('x'.repeat(300))).toHaveLength(60);
});

test('a library can be linked with the server of any board', () => {
  const root = join(import.meta.dirname, '../..');
  const files = [
    'firmware-rpc/src',
    'firmware-rpc/include',
    'boards/host',
    'boards/common/cortex-m',
    'boards/common/mps2',
    'compiler/emit',
  ].flatMap((dir) => readdirSync(join(root, dir)).map((file) => join(root, dir, file)));
  const text = files.filter((file) => /\.[ch]$|table\.ts$/.test(file)).map((file) => readFileSync(file, 'utf8'));
  const functions = [...text.join('\n').matchAll(/\b([a-z]\w*)_(?:init|run|input|output)\(/g)].map((m) => m[1] ?? '');
  expect(functions).toEqual(expect.arrayContaining(['board', 'network']));
  for (const name of functions) expect(identifier(name)).not.toBe(name);
});

test("the firmware's header and the library's declare the same table", () => {
  const there = join(import.meta.dirname, '../../firmware-rpc/include/microtune_network.h');
  expect(networkHeader).toBe(readFileSync(there, 'utf8'));
});
