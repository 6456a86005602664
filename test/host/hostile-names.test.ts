/** What a model calls its parts is text and nothing else: it chooses no file, flag, command, and no line of C. */
import { isAbsolute, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { identifier, type Library } from '../../compiler/emit/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { samples } from '../samples.ts';
import { smallModel } from '../server/model.ts';
import { Random } from '../unit/random.ts';
import { exampleSays, libraryOf } from './emit-library.ts';

/** Ends of comments in all their spellings, preprocessor lines, quotes, paths, options, shell, text direction. */
const pieces = [
  '*/',
  '/*',
  '*\\\n/',
  '*??/\n/',
  '//',
  '\n',
  '\r\n',
  '\r',
  '\\',
  '\\\n',
  '#error x\n',
  '#include "/etc/passwd"\n',
  '"',
  "'",
  '%s%n',
  '../',
  '../../etc/passwd',
  '/tmp/x',
  '-o',
  '-wrapper sh',
  '@file',
  '$(touch x)',
  '`x`',
  ';',
  '|',
  '&',
  '\u0000',
  '\u0001',
  '\u001b[2J',
  '\u202e',
  '\u2028',
  'ü',
  '💥',
  ' ',
  '.',
  '..',
  '~',
  'int evil = 1;',
  '?',
  '??',
  '<script>',
  '|a|',
];
const nasty = (r: Random): string => Array.from({ length: r.int(1, 8) }, () => r.pick(pieces)).join('');

function renamed(graph: Graph, name: (index: number) => string): Graph {
  return { ...graph, tensors: graph.tensors.map((t, i) => ({ ...t, name: name(i) })) };
}
const library = (model: Graph): Library => {
  const read = importModel(writeTflite(model), 'net');
  if (!read.ok) throw new Error(read.error.detail);
  return libraryOf(runPasses(read.value, { optional: 'all' }), 'default');
};

/** C without its comments, as a compiler reads it: lines are joined first. */
const code = (text: string): string =>
  text
    .replace(/\\\r?\n/g, '')
    .replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (m) =>
      m.startsWith('/') ? ' ' : m,
    );

test('names of tensors change nothing but comments', () => {
  const read = importModel(smallModel(1), 'net');
  if (!read.ok) throw new Error(read.error.detail);
  const plain = library(renamed(read.value, (i) => `t${i}`));
  for (let seed = 0; seed < samples(12, 1000); seed++) {
    const r = new Random(seed);
    const got = library(renamed(read.value, () => nasty(r)));
    expect([...got.files.keys()]).toEqual([...plain.files.keys()]);
    for (const [path, text] of got.files)
      if (/\.[ch]$/.test(path)) expect(code(text), `seed ${seed}, ${path}`).toBe(code(plain.files.get(path) ?? ''));
    if (seed < 2) expect(exampleSays(got), `seed ${seed}`).toEqual(exampleSays(plain));
  }
});

test('a title becomes an identifier: the files that are named after it stay where they belong', () => {
  for (let seed = 0; seed < samples(2000, 100_000); seed++) {
    const title = nasty(new Random(seed));
    const name = identifier(title);
    expect(name, JSON.stringify(title)).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
    expect(isAbsolute(name) || normalize(name) !== name).toBe(false);
  }
});
