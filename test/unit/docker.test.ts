/** Docker may be absent, so its files are checked by reading them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test.each(['docker-compose.yml', 'examples/farm/docker-compose.yml'])(
  'every port of %s is published on the loopback interface only',
  (file) => {
    const compose: { services: Record<string, { ports?: string[] }> } = parse(read(file));
    const ports = Object.values(compose.services).flatMap((s) => s.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((p) => !p.startsWith('127.0.0.1:'))).toEqual([]);
  },
);

test('the image installs the same Debian packages as the set-up script', () => {
  const install = /apt-get install -y --no-install-recommends([\s\S]*?)&&/.exec(read('Dockerfile'))?.[1] ?? '';
  const inImage = install.split(/[\s\\]+/).filter((w) => w !== '');
  expect(inImage.sort()).toEqual(Object.keys(JSON.parse(read('scripts/packages.json')).product).sort());
});

test('what is published, kept and exposed is what the daemon in the image uses', () => {
  const command: readonly string[] = JSON.parse(/^CMD (\[.*\])$/m.exec(read('Dockerfile'))?.[1] ?? '[]');
  const option = (name: string): string | undefined => command[command.indexOf(name) + 1];
  expect(command.slice(0, 3)).toEqual(['node', 'bin/microtune.js', 'serve']);
  expect(/^EXPOSE (.*)$/m.exec(read('Dockerfile'))?.[1]).toBe(option('--port'));
  expect(/^VOLUME (.*)$/m.exec(read('Dockerfile'))?.[1]).toBe(option('--data'));
  const compose: { services: { microtune: { ports: string[]; volumes: string[] } } } = parse(
    read('docker-compose.yml'),
  );
  expect(compose.services.microtune.ports).toEqual([`127.0.0.1:${option('--port')}:${option('--port')}`]);
  expect(compose.services.microtune.volumes).toEqual([`data:${option('--data')}`]);
});

test('the image needs no package that is left out of it', () => {
  const { dependencies } = JSON.parse(read('package.json'));
  const folders = ['client', 'compiler', 'kernels', 'boards', 'toolchain', 'firmware-rpc', 'tuner', 'db', 'server'];
  const imported = folders.flatMap((dir) =>
    readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.ts'))
      .flatMap((f) => [...read(join(dir, f)).matchAll(/^(?:import|export) (?!type )[^;]*?from '([^.'][^']*)'/gm)])
      .map((m) => m[1] ?? '')
      .filter((name) => !name.startsWith('node:'))
      .map((name) =>
        name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
  );
  expect(imported.length).toBeGreaterThan(5);
  expect([...new Set(imported)].filter((name) => !(name in dependencies))).toEqual([]);
});
