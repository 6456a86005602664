/** Docker may be absent, so its files are checked by reading them. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('every port is published on the loopback interface only', () => {
  const compose: { services: Record<string, { ports?: string[] }> } = parse(read('docker-compose.yml'));
  const ports = Object.values(compose.services).flatMap((s) => s.ports ?? []);
  expect(ports.length).toBeGreaterThan(0);
  expect(ports.filter((p) => !p.startsWith('127.0.0.1:'))).toEqual([]);
});

test('the image installs the same Debian packages as the set-up script', () => {
  const install = /apt-get install -y --no-install-recommends([\s\S]*?)&&/.exec(read('Dockerfile'))?.[1] ?? '';
  const inImage = install.split(/[\s\\]+/).filter((w) => w !== '');
  expect(inImage.sort()).toEqual(Object.keys(JSON.parse(read('scripts/packages.json'))).sort());
});
