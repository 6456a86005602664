/** Attaching boards by address: what works, and what a user reads when the address is wrong. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { attach } from '../../firmware-rpc/host/attach.ts';
import { expectOk, listeningBoard, workFolder } from './host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

test('HOST:PORT of a board that listens, one host after another', async () => {
  const board = await listeningBoard(folder.dir);
  for (const name of ['127.0.0.1', 'localhost']) {
    const device = expectOk(await attach(`${name}:${board.port}`));
    expect(device.info.board).toBe('host');
    await device.load(device.info.data.base, Uint8Array.of(1, 2, 3));
    expect([...(await device.fetch(device.info.data.base, 3))]).toEqual([1, 2, 3]);
    await device.close();
  }
  await board.kill();
  const gone = await attach(`127.0.0.1:${board.port}`);
  expect(gone).toMatchObject({ ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE' } });
});

test('what is no serial port, by kind', async () => {
  mkdirSync(join(folder.dir, 'folder'), { recursive: true });
  writeFileSync(join(folder.dir, 'file'), 'text');
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [join(folder.dir, 'folder'), 'NOT_A_SERIAL_PORT', /not a serial port; .*a folder/],
    [join(folder.dir, 'file'), 'NOT_A_SERIAL_PORT', /not a serial port; .*a plain file/],
    ['/dev/null', 'NOT_A_SERIAL_PORT', /not a serial port/],
    [join(folder.dir, 'nothing'), 'DEVICE_UNREACHABLE', /no such port; is the board plugged in/],
    ['/dev/ttyNOSUCH9', 'DEVICE_UNREACHABLE', /no such port/],
  ];
  for (const [address, code, words] of cases) {
    const r = await attach(address);
    expect(r, address).toMatchObject({ ok: false, error: { stage: 'load', code } });
    expect(r.ok ? '' : r.error.detail).toMatch(words);
    expect(r.ok ? '' : r.error.detail).toContain(address);
  }
});

test('a peer that is no board of ours', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mail.example ESMTP\r\n\0\0');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const r = await attach(`127.0.0.1:${port}`, { patienceMs: 5, attempts: 3 });
  expect(r).toMatchObject({ ok: false, error: { code: 'DEVICE_UNREACHABLE' } });
  expect(r.ok ? '' : r.error.detail).toMatch(/microtune's firmware/);
  server.close();
});
