/** The buttons of the devices, each pressed, on a real daemon: what the page says and what the daemon says is one. */
import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import type { DeviceBody, DeviceList } from '../../server/schemas/index.ts';
import { dataDir, startDaemonProcess, until } from '../e2e/daemon-process.ts';
import { browserOfFile } from './browser.ts';

const visit = browserOfFile();

test('a device is drained, put in quarantine and released; one is added and removed; what happened is in its history', async () => {
  const d = await startDaemonProcess(dataDir(), ['--emulate', 'host=1']);
  const { page, trouble } = await visit(`${d.url}/#/devices`);
  await page.getByRole('searchbox', { name: 'Filter devices' }).fill('host');
  const row = (name: string): Locator => page.locator('tbody tr', { hasText: name });
  const press = (name: string, button: string) => row(name).getByRole('button', { name: button, exact: true }).click();
  const found = async (name: string): Promise<DeviceBody | undefined> =>
    (await d.get<DeviceList>('/v1/devices')).items.find((one) => one.name === name);
  for (const [button, chip, wanted] of [
    ['Drain', 'draining', { draining: true }],
    ['Release', 'closed', { draining: false, state: 'closed' }],
    [
      'Quarantine',
      'quarantined',
      { state: 'quarantined', quarantine: { reason: 'by hand, from the page', by: 'user' } },
    ],
    ['Release', 'closed', { state: 'closed', quarantine: null }],
  ] as const) {
    await press('host#0', button);
    await row('host#0').locator('.chip', { hasText: chip }).waitFor();
    expect(await found('host#0'), button).toMatchObject(wanted);
  }
  await press('host#0', 'History');
  const history = page.getByRole('region', { name: 'History' }).locator('tbody tr');
  await history.first().waitFor();
  expect((await history.allTextContents()).join('\n')).toMatch(/quarantine.*by hand, from the page/s);

  await page.locator('select[name=board]').selectOption('host');
  await page.getByLabel('Or emulate').fill('1');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await row('host#1').waitFor();
  expect(await found('host#1')).toMatchObject({ board: 'host', state: 'closed' });
  await press('host#1', 'Remove');
  await row('host#1').waitFor({ state: 'detached' });
  await until('the daemon has it no more', async () => ((await found('host#1')) === undefined ? true : undefined));
  expect(trouble).toEqual([]);
});
