// @ts-check
/** The page itself: header, views by address, keys, dropped files, the daemon's absence. */
import { Api, messageOf } from './api.js';
import { compareView } from './compare.js';
import { devicesView } from './devices.js';
import { askToken, showKeys } from './dialogs.js';
import { h, render } from './dom.js';
import { jobView } from './job.js';
import { jobsView } from './jobs.js';
import { keyboard } from './keys.js';
import { logView } from './log.js';
import { newJobView } from './new-job.js';
import { Page } from './page.js';
import { match, readHash, to } from './router.js';
import { sqlView } from './sql.js';
import { taskView } from './task.js';
import { toggleTheme, useTheme } from './theme.js';
import { trialView } from './trial.js';
import { empty } from './ui.js';

/** @type {readonly import('./page.js').View[]} */
const views = [jobsView, newJobView, jobView, taskView, trialView, devicesView, logView, sqlView, compareView];
/** @type {import('./page.js').View} */
const nowhere = {
  pattern: '',
  nav: '',
  open: (page) => {
    page.title('Not found');
    const all = h('a', { href: to('') }, 'All jobs');
    page.show(
      h('h1', null, 'Not found'),
      empty('There is no such page.', 'The address may be of an older microtune.', all),
    );
  },
};

class Shell {
  constructor() {
    this.outlet = part('main');
    this.current = new AbortController();
    this.api = new Api({
      onGone: () => this.banner('The daemon does not answer. Looking for it…'),
      onBack: () => {
        this.banner(undefined);
        this.say('The daemon is back.');
        this.open();
      },
      askToken,
    });
  }

  start() {
    useTheme();
    part('theme').addEventListener('click', toggleTheme);
    part('help').addEventListener('click', showKeys);
    // Its address would be taken for a view's.
    part('skip').addEventListener('click', (e) => {
      e.preventDefault();
      this.outlet.focus();
    });
    addEventListener('hashchange', () => this.open('moved'));
    keyboard({ showKeys, toggleTheme });
    this.takeDrops();
    this.takeDownloads();
    this.open();
  }

  /** @param {'moved' | 'same'} [how] */
  open(how = 'same') {
    this.current.abort();
    this.current = new AbortController();
    const { parts, query } = readHash(location.hash);
    const found = views.flatMap((view) => {
      const params = match(view.pattern, parts);
      return params === undefined ? [] : [{ view, params }];
    })[0] ?? { view: nowhere, params: {} };
    this.mark(found.view.nav);
    const page = new Page({
      outlet: this.outlet,
      api: this.api,
      place: { params: found.params, query },
      signal: this.current.signal,
      say: (text, tone) => this.say(text, tone),
      reopen: () => this.open(),
    });
    render(this.outlet, h('p', { class: 'muted loading' }, 'Loading…'));
    // Who moves by keyboard or by ear goes on where the news is.
    if (how === 'moved') {
      scrollTo(0, 0);
      this.outlet.focus({ preventScroll: true });
    }
    Promise.resolve()
      .then(() => found.view.open(page))
      .catch((error) => page.failed(error));
  }

  /** @param {string} nav */
  mark(nav) {
    for (const link of document.querySelectorAll('nav a'))
      if (link.getAttribute('data-nav') === nav) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
  }

  /** @param {string | undefined} text */
  banner(text) {
    const banner = part('banner');
    banner.textContent = text ?? '';
    banner.hidden = text === undefined;
  }

  /** @param {string} text @param {'bad'} [tone] */
  say(text, tone) {
    const toast = h('p', { class: `toast ${tone ?? ''}` }, text);
    render(part('news'), toast);
    const shown = part('news').firstElementChild;
    setTimeout(() => shown?.remove(), tone === 'bad' ? 12_000 : 5_000);
  }

  /** The browser follows links by itself, but sends no token along. */
  takeDownloads() {
    addEventListener('click', (e) => {
      const link = e.target instanceof Element ? e.target.closest('a[data-download]') : null;
      if (!(link instanceof HTMLAnchorElement) || !this.api.hasToken) return;
      e.preventDefault();
      const saved = this.api.download(link.href, link.dataset.download ?? '');
      saved.catch((error) => this.say(messageOf(error), 'bad'));
    });
  }

  /** A model that is dropped anywhere is uploaded, and a job on it is one click away. */
  takeDrops() {
    const files = (/** @type {DragEvent} */ e) =>
      e.dataTransfer?.types.includes('Files') ? e.dataTransfer : undefined;
    addEventListener('dragover', (e) => {
      if (files(e) === undefined) return;
      e.preventDefault();
      document.body.classList.add('dropping');
    });
    addEventListener('dragleave', (e) => e.relatedTarget === null && document.body.classList.remove('dropping'));
    addEventListener('drop', (e) => {
      const file = files(e)?.files[0];
      document.body.classList.remove('dropping');
      if (file === undefined) return;
      e.preventDefault();
      void this.upload(file);
    });
    addEventListener('model', (e) => void this.upload(/** @type {CustomEvent<File>} */ (e).detail));
  }

  /** @param {File} file */
  async upload(file) {
    try {
      this.say(`Uploading ${file.name}…`);
      const model = await this.api.upload(file);
      this.say(`${model.name} is uploaded.`);
      location.hash = to('new', { model: model.id });
    } catch (error) {
      this.say(`${file.name}: ${messageOf(error)}`, 'bad');
    }
  }
}

/** @param {string} id */
function part(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
}

new Shell().start();
