/** A daemon that others can reach: what it refuses to be, TLS, tokens on the real command line, and its owner who needs none. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { dataDir, refusedDaemon, startDaemonProcess } from './daemon-process.ts';

const launcher = resolve(import.meta.dirname, '../../bin/microtune.js');
const run = promisify(execFile);

/** The command line as a process; what it printed, or the code that it ended with. */
async function microtune(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  try {
    return (await run(process.execPath, [launcher, ...args], { env })).stdout.trim();
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return /^error ([A-Z_]+)/m.exec(stderr)?.[1] ?? stderr;
  }
}

/** A certificate for localhost, and its key. */
function certificate(dir: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  return { cert, key };
}

/** The status of a GET, with the certificate as the only authority. */
function status(url: string, cert: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((done, fail) => {
    const asked = request(url, { ca: readFileSync(cert), headers, agent: false }, (answer) => {
      answer.resume();
      answer.once('end', () => done(answer.statusCode ?? 0));
    });
    asked.once('error', fail);
    asked.end();
  });
}

test('beyond this machine it needs tokens, and TLS or a word that there is none', async () => {
  const dir = dataDir();
  const code = async (...args: readonly string[]): Promise<unknown> => {
    const refused = await refusedDaemon(dir, args);
    return [refused.code, /^error ([A-Z_]+)/m.exec(refused.said)?.[1]];
  };
  expect(await code('--host', '0.0.0.0')).toEqual([4, 'TOKENS_NEEDED']);
  expect(await code('--trust-proxy', '127.0.0.1')).toEqual([4, 'TOKENS_NEEDED']);
  await microtune(['token', 'add', 'a', '--scope', 'read', '--data', dir]);
  expect(await code('--host', '0.0.0.0')).toEqual([4, 'TLS_NEEDED']);
  const { cert } = certificate(dir);
  expect(await code('--host', '0.0.0.0', '--tls-cert', cert)).toEqual([4, 'TLS_UNUSABLE']);
  expect(await code('--host', '0.0.0.0', '--tls-cert', cert, '--tls-key', cert)).toEqual([4, 'TLS_UNUSABLE']);
  expect(await code('--tls-cert', '/nowhere.pem')).toEqual([2, 'FILE_UNUSABLE']);
});

test('over TLS with a token; its owner without one; a token that is revoked opens nothing', async () => {
  const dir = dataDir();
  const { cert, key } = certificate(dir);
  const token = await microtune(['token', 'add', 'lab', '--scope', 'read', '--data', dir]);
  const tls = ['--host', '0.0.0.0', '--name', 'localhost', '--tls-cert', cert, '--tls-key', key];
  const d = await startDaemonProcess(dir, tls);
  expect(d.url).toMatch(/^https:\/\/localhost:\d+$/);
  const jobs = (headers?: Record<string, string>) => status(`${d.url}/v1/jobs`, cert, headers);
  const bearer = { authorization: `Bearer ${token}` };
  expect([await jobs(), await jobs(bearer), await status(`${d.url}/healthz`, cert)]).toEqual([401, 200, 200]);
  expect(await jobs({ ...bearer, origin: d.url })).toBe(200);
  expect(await jobs({ ...bearer, origin: d.url.replace('https', 'http') })).toBe(403);
  await expect(fetch(d.url.replace('https', 'http'))).rejects.toThrow();

  expect(statSync(join(dir, 'daemon.token')).mode & 0o777).toBe(0o600);
  const trusting = { ...process.env, NODE_EXTRA_CA_CERTS: cert };
  // Its owner knows it by what lies in the directory.
  expect(await microtune(['jobs', '--data', dir, '--json'])).toBe('[]');
  const file = join(dir, 'lab.token');
  writeFileSync(file, `${token}\n`);
  const remote = ['--url', d.url, '--data', dataDir(), '--json'];
  expect(await microtune(['jobs', ...remote, '--token-file', file], trusting)).toBe('[]');
  expect(await microtune(['jobs', ...remote, '--token-file', file])).toBe('DAEMON_UNREACHABLE');
  expect(await microtune(['jobs', ...remote], trusting)).toBe('UNAUTHORIZED');
  expect(await microtune(['jobs', 'j-1', '--cancel', ...remote, '--token-file', file], trusting)).toBe(
    'SCOPE_TOO_SMALL',
  );

  await microtune(['token', 'revoke', 'lab', '--data', dir]);
  expect(await jobs(bearer)).toBe(401);
  expect(await microtune(['token', 'add', 'lab', '--scope', 'read', '--data', dir])).toBe('TOKEN_EXISTS');
  expect(await d.end('SIGTERM')).toBe(0);
  expect(readFileSync(join(dir, 'log'), 'utf8')).not.toContain(token);
});
