// @ts-check
/** Devices: what each does and how well it is, how busy the night was, and what a user can do to one. */
import { addDevice } from './device-add.js';
import { h } from './dom.js';
import { count, counted, kindWords, percent, when } from './format.js';
import { heatStrip } from './heat.js';
import { to } from './router.js';
import { button, chip, empty, filterField, matches, section, select, stat, stats, table } from './ui.js';

/** @typedef {import('../schemas/index.ts').DeviceBody} Device */

/** @type {import('./page.js').View} */
export const devicesView = {
  pattern: 'devices',
  nav: 'devices',
  async open(page) {
    page.title('Devices');
    const view = new Devices(page);
    await view.load();
    page.every(3000, () => view.load());
    page.every(60_000, () => view.loadNight());
    await view.loadNight();
  },
};

/** Stretches of time that can be looked at, in hours. */
const spans = ['1', '12', '48'];
const buckets = 144;
/** @type {Readonly<Record<string, string>>} */
const tones = { idle: 'ok', busy: 'busy', quarantined: 'bad', closed: '', unplugged: 'warn' };

class Devices {
  /** @param {import('./page.js').Page} page */
  constructor(page) {
    this.page = page;
    /** @type {readonly Device[]} */
    this.items = [];
    /** @type {readonly import('../schemas/index.ts').BoardBody[]} */
    this.boards = [];
    /** @type {any} */
    this.night = undefined;
    this.text = '';
    const wanted = page.query.get('hours') ?? '';
    this.hours = spans.includes(wanted) ? wanted : '12';
    /** Whose history is open. @type {{ name: string, items: readonly any[] } | undefined} */
    this.history = undefined;
  }

  async load() {
    const [devices, boards] = await Promise.all([
      this.page.get('/v1/devices'),
      this.boards.length > 0 ? { items: this.boards } : this.page.get('/v1/boards'),
    ]);
    this.items = devices.items;
    this.boards = boards.items;
    this.show();
  }

  async loadNight() {
    const until = new Date();
    const since = new Date(until.getTime() - Number(this.hours) * 3_600_000);
    const query = new URLSearchParams({
      since: since.toISOString(),
      until: until.toISOString(),
      buckets: String(buckets),
    });
    this.night = await this.page.find(`/v1/devices/utilisation?${query}`);
    this.show();
  }

  show() {
    const { items } = this;
    const shown = items.filter((d) => matches(this.text, `${d.name} ${d.board} ${d.kind} ${d.state}`));
    const used = shown.filter((d) => !isUnused(d));
    const unused = shown.filter(isUnused);
    const of = (/** @type {string} */ state) => items.filter((d) => d.state === state).length;
    this.page.show(
      h('div', { class: 'head' }, h('h1', null, 'Devices'), this.search()),
      items.length === 0
        ? empty('No device.', 'Attach a board, or let one be emulated.')
        : stats(
            stat('devices', items.length),
            stat('busy', of('busy')),
            stat('idle', of('idle')),
            stat('closed', of('closed'), 'opened when a job needs them'),
            stat('in quarantine', of('quarantined')),
          ),
      section('At work', this.choice(), heatStrip(this.night, new Set(shown.map((d) => d.name)))),
      section(
        'State and health',
        used.length > 0 && this.table(used),
        unused.length > 0 &&
          h(
            'details',
            { open: used.length === 0 || this.text !== '' },
            h('summary', null, `${counted(unused.length, 'emulated device')} that no job has needed yet`),
            this.table(unused),
          ),
      ),
      this.history && section(`History of ${this.history.name}`, historyTable(this.history.items)),
      section(
        'Add a device',
        addDevice(this.page, this.boards, () => this.load()),
      ),
    );
  }

  search() {
    return filterField('devices', 'name, board, state', (text) => {
      this.text = text;
      this.show();
    });
  }

  /** Which stretch of time is shown. */
  choice() {
    const words = spans.map((s) => /** @type {const} */ ([s, s === '1' ? 'the last hour' : `the last ${s} hours`]));
    const choose = (/** @type {string} */ hours) => {
      this.hours = hours;
      this.page.replace(to('devices', { hours }));
      void this.loadNight().catch((error) => this.page.failed(error));
    };
    return select('hours', words, this.hours, choose, 'Stretch of time');
  }

  /** @param {readonly Device[]} rows */
  table(rows) {
    return table({
      label: 'Devices',
      rows,
      key: (d) => d.name,
      columns: [
        {
          name: 'device',
          cell: (d) => [h('strong', null, d.name), h('div', { class: 'muted hint' }, kindWords(d.kind), where(d))],
        },
        {
          name: 'state',
          cell: (d) => [
            chip(d.draining ? 'draining' : d.state, d.draining ? 'warn' : (tones[d.state] ?? '')),
            h('div', { class: 'muted hint num' }, `since ${when(d.since)}`),
          ],
        },
        { name: 'trials', as: 'right', cell: (d) => count(d.stats.trials) },
        { name: 'failed', as: 'right', cell: (d) => count(d.stats.failures) },
        {
          name: 'recoveries',
          as: 'right',
          cell: (d) => count(d.stats.recoveries),
        },
        { name: 'withdrawn', as: 'right', cell: (d) => count(d.suspects) },
        {
          name: 'last hour',
          as: 'right',
          cell: (d) => percent(d.utilisation, 1),
        },
        { name: 'health', as: 'wide', cell: health },
        { name: 'actions', cell: (d) => this.actions(d) },
      ],
    });
  }

  /** @param {Device} d */
  actions(d) {
    const path = `/v1/devices/${encodeURIComponent(d.name)}`;
    const post = (/** @type {string} */ verb, /** @type {string} */ told, /** @type {unknown} */ body) => () =>
      this.page.act(async () => {
        await this.page.api.send('POST', `${path}/${verb}`, body);
        await this.load();
        return `${d.name}: ${told}`;
      });
    const held = d.draining || d.state === 'quarantined';
    return h(
      'div',
      { class: 'buttons' },
      !d.draining &&
        button('Drain', post('drain', 'takes no more trials', undefined), {
          key: 'drain',
          title: 'finishes what it does and takes no more',
        }),
      d.state !== 'quarantined' &&
        button('Quarantine', post('quarantine', 'is in quarantine', { reason: 'by hand, from the page' }), {
          key: 'quarantine',
        }),
      held && button('Release', post('release', 'is back at work', undefined), { key: 'release' }),
      button('History', () => this.open(d), { kind: 'quiet', key: 'history' }),
      (d.state === 'idle' || d.state === 'closed' || d.draining) &&
        button('Remove', () => this.remove(d, path), { kind: 'quiet', key: 'remove' }),
    );
  }

  /** @param {Device} d */
  open(d) {
    return this.page.act(async () => {
      const found = await this.page.find(`/v1/devices/${encodeURIComponent(d.name)}/history?limit=100`);
      this.history = { name: d.name, items: found?.items ?? [] };
      this.show();
      return found === undefined ? 'This daemon keeps no history of devices.' : undefined;
    });
  }

  /** @param {Device} d @param {string} path */
  remove(d, path) {
    return this.page.act(async () => {
      await this.page.api.send('DELETE', path);
      await this.load();
      return `${d.name} is removed.`;
    });
  }
}

/** A farm has two of every board that can be emulated; most are never started. @param {Device} d */
const isUnused = (d) => d.state === 'closed' && d.stats.trials === 0 && d.transport === 'emulated' && !d.draining;

/** @param {Device} d */
const where = (d) => (d.transport === 'worker' ? `, at worker ${d.address}` : '');

/** @param {Device} d */
function health(d) {
  if (d.quarantine)
    return h(
      'span',
      null,
      `${d.quarantine.reason} (by ${d.quarantine.by === 'user' ? 'a user' : 'the farm'}${d.quarantine.until ? `, looked at again ${when(d.quarantine.until)}` : ''})`,
    );
  if (d.reason) return h('span', null, h('code', null, d.code), ` ${d.reason}`);
  if (d.warning) return d.warning;
  if (d.health === null) return h('span', { class: 'muted' }, 'not checked yet');
  return h('span', { class: 'muted' }, `counts ${count(d.health.count)}, at first ${count(d.health.baseline)}`);
}

/** @param {readonly any[]} items */
const historyTable = (items) =>
  items.length === 0
    ? h('p', { class: 'muted' }, 'Nothing happened to it yet.')
    : table({
        label: 'History',
        rows: items,
        columns: [
          { name: 'at', cell: (e) => when(e.at) },
          { name: 'what', cell: (e) => e.event },
          { name: 'why', as: 'wide', cell: (e) => e.detail ?? '' },
          { name: 'job', cell: (e) => e.job ?? '' },
        ],
      });
