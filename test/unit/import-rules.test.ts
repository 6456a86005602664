/** Who may import whom (docs/architecture.md). A wrong import fails here with the line that would fix the thinking. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** Folder -> folders whose code it may import. Type-only imports are free: they vanish. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  compiler: [],
  toolchain: [],
  'firmware-rpc': [],
  kernels: ['compiler'],
  boards: ['compiler', 'toolchain', 'firmware-rpc'],
  tuner: ['compiler', 'kernels', 'toolchain', 'firmware-rpc', 'boards'],
  db: [],
  client: ['compiler'],
  server: ['client', 'compiler', 'toolchain', 'firmware-rpc', 'kernels', 'boards', 'tuner', 'db'],
};

const sources = (dir: string): string[] =>
  readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts'))
    .map((f) => join(dir, f));

function importsOf(file: string): { readonly from: string; readonly statement: string }[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+'(\.[^']+)'/gm)].map((m) => ({
    from: m[1] ?? '',
    statement: m[0],
  }));
}

/** Every named import marked `type`, or the whole statement. */
const typeOnly = (statement: string): boolean => {
  if (/^(import|export)\s+type\s/.test(statement)) return true;
  const names = /\{([^}]*)\}/.exec(statement)?.[1];
  const list = names?.split(',').map((n) => n.trim()) ?? [];
  return list.some((n) => n !== '') && list.every((n) => n === '' || n.startsWith('type '));
};

for (const [folder, may] of Object.entries(allowed)) {
  test(`${folder} imports only ${[folder, ...may].join(', ')}`, () => {
    const wrong = sources(folder).flatMap((file) =>
      importsOf(file)
        .filter((i) => !typeOnly(i.statement))
        .map((i) => relative(root, resolve(root, dirname(file), i.from)))
        .filter((target) => target.split('/')[0] !== folder && !may.includes(target.split('/')[0] ?? ''))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });
}

test('the compiler is pure: no files, clock, processes, network, randomness', () => {
  const wrong = sources('compiler').filter((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return /from 'node:(fs|child_process|net|http|os|worker_threads)|Math\.random|Date\.now|new Date\(|process\.env/.test(
      text,
    );
  });
  expect(wrong).toEqual([]);
});
