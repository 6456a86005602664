/**
 * A real browser on the page: Debian's chromium, headless. Whatever goes wrong in it while a test looks elsewhere (errors on the
 * console, requests that fail, what its policy blocked) is kept, for the test to find nothing in it.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { launchChromium } from '../../scripts/chromium.ts';

/** Milliseconds within which a condition comes true on any machine that is not broken. */
export const patience = 120_000;

export interface Visit {
  readonly page: Page;
  /** What went wrong so far, a line each. */
  readonly trouble: string[];
}
export type Visitor = (url: string, options?: BrowserContextOptions) => Promise<Visit>;

/** One browser for a file of tests; each visit is a context of its own, without anything of another. */
export function browserOfFile(): Visitor {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser?.close());
  return async (url, options = {}) => {
    if (browser === undefined) throw new Error('the browser has not started');
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    onTestFinished(() => context.close());
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    const trouble = watch(page);
    await page.goto(url);
    return { page, trouble };
  };
}

function watch(page: Page): string[] {
  const trouble: string[] = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') trouble.push(`console: ${m.text()}`);
  });
  page.on('pageerror', (e) => trouble.push(`error: ${e.message}`));
  page.on('response', (r) => {
    if (r.status() >= 400) trouble.push(`${r.status()} ${r.url()}`);
  });
  page.on('request', (r) => {
    const { protocol, host } = new URL(r.url());
    const own = host === new URL(page.url()).host || page.url() === 'about:blank';
    if (protocol !== 'blob:' && !own) trouble.push(`a request to ${r.url()}`);
  });
  return trouble;
}

/** Goes to a view and waits until it is there. */
export async function view(page: Page, hash: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await page.locator('main .loading').waitFor({ state: 'detached' });
  await page.locator('main h1').first().waitFor();
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails on serious and critical findings, with what and where. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe: run } = globalThis as unknown as { axe: typeof import('axe-core') };
    const { violations } = await run.run(document);
    return violations
      .filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 200)} (${n.any[0]?.message ?? v.help})`));
  });
  expect(found, where).toEqual([]);
}

/** Nothing is wider than the screen; tables scroll by themselves. Charts take a new width with the next frame. */
export async function expectNoSidewaysScroll(page: Page, where: string): Promise<void> {
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(undefined)))),
  );
  const { wide, screen } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
  }));
  expect(wide, where).toBeLessThanOrEqual(screen);
}

/** Drops a file on the page, as a hand with a mouse would. */
export async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const dataTransfer = await page.evaluateHandle(
    ({ fileName, base64 }) => {
      const transfer = new DataTransfer();
      const content = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      transfer.items.add(new File([content], fileName));
      return transfer;
    },
    { fileName: name, base64: Buffer.from(bytes).toString('base64') },
  );
  await page.dispatchEvent('body', 'dragover', { dataTransfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer });
}
