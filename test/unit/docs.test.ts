/** What the documents say about the repository is so: paths, links, commands, decisions, dependencies, words. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const entries = (dir: string): readonly string[] => readdirSync(join(root, dir), { encoding: 'utf8' });

/** Made here and ignored by git. */
const made = ['node_modules', 'build', 'out'];
const folders = readdirSync(root, { withFileTypes: true })
  .filter((e) => e.isDirectory() && !e.name.startsWith('.') && !made.includes(e.name))
  .map((e) => e.name);
const documents: readonly string[] = [
  ...entries('.').filter((f) => f.endsWith('.md')),
  ...folders.flatMap((dir) =>
    readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.md'))
      .map((f) => join(dir, f)),
  ),
];

/** Files that a recipe tells the reader to make. */
const examples: ReadonlySet<string> = new Set([
  'compiler/ops/abs.ts',
  'kernels/transpose.ts',
  'compiler/instructions/max4.ts',
  'compiler/import/json/read.ts',
  'tuner/policies/annealing.ts',
]);

/** Paths from the root, wherever they stand: in words, tables, diagrams. A pattern counts up to its first variable part. */
function pathsIn(text: string): readonly string[] {
  const start = new RegExp(`(?<![\\w/.@-])(?:${folders.join('|')})/[\\w./-]*`, 'g');
  return [...text.matchAll(start)].map((m) => m[0].replace(/[./-]+$/, ''));
}
const linksIn = (text: string): readonly string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1] ?? '').filter((to) => !/^[a-z]+:/.test(to));

/** The anchor that a heading has on the usual hosts. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replace(/\s/g, '-');
const anchorsOf = (file: string): readonly string[] =>
  [...read(file).matchAll(/^#+ (.+)$/gm)].map((m) => anchor(m[1] ?? ''));

/** What is wrong with a link in a document, or nothing. */
function broken(document: string, link: string): string | undefined {
  const [path = '', fragment] = link.split('#');
  const target = path === '' ? document : relative(root, resolve(root, dirname(document), path));
  if (!existsSync(join(root, target))) return `${link}: no such file`;
  return fragment === undefined || anchorsOf(target).includes(fragment) ? undefined : `${link}: no such heading`;
}

describe.each(documents)('%s', (document) => {
  test('every path of the repository that it names exists', () => {
    const missing = pathsIn(read(document)).filter((path) => !examples.has(path) && !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  test('every link leads somewhere', () => {
    expect(linksIn(read(document)).flatMap((link) => broken(document, link) ?? [])).toEqual([]);
  });

  test('every npm command exists', () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'));
    const named = [...read(document).matchAll(/npm run ([\w:-]+)/g)].map((m) => m[1] ?? '');
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

test('the paths are found that the tests above look for', () => {
  expect(pathsIn('See `compiler/ops/index.ts`, tuner/policies/*, boards/<board>/ and docs/.')).toEqual([
    'compiler/ops/index.ts',
    'tuner/policies',
    'boards',
    'docs',
  ]);
  expect(pathsIn('GET /docs/x, a.test/b and http://host/server/x')).toEqual([]);
  expect(broken('docs/adding.md', 'nowhere.md')).toBe('nowhere.md: no such file');
  expect(broken('docs/adding.md', '#nowhere')).toBe('#nowhere: no such heading');
});

test('what recipes tell to make is named in them', () => {
  const named = new Set(pathsIn(read('docs/adding.md')));
  expect([...examples].filter((path) => !named.has(path))).toEqual([]);
});

test('every decision is in the index, under its own number', () => {
  const files = entries('docs/decisions').filter((f) => /^\d{4}-.*\.md$/.test(f));
  const rows = [...read('docs/decisions/README.md').matchAll(/^\| \[(\d{4})\]\(([^)]+)\) \|/gm)];
  expect(rows.map((r) => r[2])).toEqual(files.toSorted());
  for (const [, number, file = ''] of rows) {
    expect(file.slice(0, 4)).toBe(number);
    expect(read(`docs/decisions/${file}`)).toMatch(new RegExp(`^# ${number} `));
  }
  expect(new Set(files.map((f) => f.slice(0, 4))).size).toBe(files.length);
});

test.each([
  ['In use', 'dependencies'],
  ['For development', 'devDependencies'],
])('"%s" lists exactly the %s of package.json', (heading, field) => {
  const section = read('docs/decisions/0001-dependencies.md').split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| `([^`]+)` \| (.*?) \|/gm)];
  const declared: Record<string, string> = JSON.parse(read('package.json'))[field];
  expect(rows.map((r) => r[1] ?? '').toSorted()).toEqual(Object.keys(declared).toSorted());
  expect(rows.filter((r) => (r[2] ?? '').trim() === '').map((r) => r[1])).toEqual([]);
});

test('every word of the glossary stands once, and in the file that it names', () => {
  const rows = [...read('docs/glossary.md').matchAll(/^\| ([^|]+) \| [^|]+ \|([^|]*)\|$/gm)].slice(1);
  const words = rows.flatMap((r) => (r[1] ?? '').split(', '));
  expect(words.length).toBeGreaterThan(30);
  expect(words.filter((w, i) => words.indexOf(w) !== i)).toEqual([]);
  const astray = rows.flatMap(([, names = '', where = '']) => {
    const text = pathsIn(where).map(read).join('\n').toLowerCase();
    return where.trim() === '' ? [] : names.split(', ').filter((w) => !text.includes(w.toLowerCase()));
  });
  expect(astray).toEqual([]);
});
