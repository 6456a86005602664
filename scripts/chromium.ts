/** Debian's chromium without a window, for tests of the page and for its pictures. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

function inPath(program: string): string {
  const found = (process.env.PATH ?? '').split(delimiter).find((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`${program} is not installed`);
  return join(found, program);
}

export const launchChromium = (): Promise<Browser> =>
  // Its own sandbox does not work for root, which machines for tests often are.
  chromium.launch({ executablePath: inPath('chromium'), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
