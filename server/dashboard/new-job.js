// @ts-check
/** A new job in three clicks: a model (dropped, chosen, or one of before), a board, start. What else can be said is folded away. */
import { h } from './dom.js';
import { bytes, kindWords, short } from './format.js';
import { optionFields, requestOf } from './new-job-options.js';
import { to } from './router.js';
import { empty, problem } from './ui.js';

/** @typedef {import('../schemas/index.ts').ModelBody} Model */
/** @typedef {import('../schemas/index.ts').BoardBody} Board */
/** @typedef {import('../schemas/index.ts').JobBody} Job */

/** @type {import('./page.js').View} */
export const newJobView = {
  pattern: 'new',
  nav: 'jobs',
  async open(page) {
    page.title('New job');
    const from = page.query.get('clone');
    /** @type {Job | undefined} */
    const clone = from === null ? undefined : await page.get(`/v1/jobs/${encodeURIComponent(from)}`);
    const id = page.query.get('model') ?? clone?.model;
    const [jobs, boards, devices, model] = await Promise.all([
      page.get('/v1/jobs?limit=200'),
      page.get('/v1/boards'),
      page.get('/v1/devices'),
      id === undefined ? undefined : page.get(`/v1/models/${encodeURIComponent(id)}`),
    ]);
    new NewJob(page, { jobs: jobs.items, boards: boards.items, devices: devices.items, model, clone }).show();
  },
};

class NewJob {
  /**
   * @param {import('./page.js').Page} page
   * @param {{ jobs: readonly Job[], boards: readonly Board[], devices: readonly import('../schemas/index.ts').DeviceBody[], model: Model | undefined, clone: Job | undefined }} known
   */
  constructor(page, known) {
    this.page = page;
    this.known = known;
    /** @type {unknown} */
    this.error = undefined;
    this.chosen = known.clone === undefined ? 0 : 1;
  }

  show() {
    const { model, clone } = this.known;
    this.page.show(
      h('h1', null, clone === undefined ? 'New job' : `Another job like ${clone.name || clone.modelName}`),
      h(
        'form',
        {
          class: 'new-job',
          onsubmit: (/** @type {SubmitEvent} */ e) => this.submit(e),
          onchange: (/** @type {Event} */ e) => this.changed(e),
        },
        this.models(),
        model && this.boards(),
        model && optionFields({ model, clone }),
        model &&
          h(
            'div',
            { class: 'form-end' },
            this.error !== undefined && problem(this.error),
            h('button', { class: 'button primary big', disabled: this.chosen === 0 }, this.startText()),
          ),
      ),
    );
  }

  startText() {
    if (this.chosen === 0) return 'Take a board';
    return this.chosen === 1 ? 'Start' : `Start ${this.chosen} jobs`;
  }

  models() {
    const { model, jobs } = this.known;
    const recent = new Map(jobs.map((j) => [j.model, j.modelName]));
    return h(
      'fieldset',
      null,
      h('legend', null, '1 · Model'),
      model !== undefined && modelLine(model),
      h(
        'div',
        { class: 'buttons' },
        h(
          'label',
          { class: 'button file' },
          model === undefined ? 'Choose a file' : 'Another file',
          h('input', { type: 'file', accept: '.tflite', onchange: chosen }),
        ),
        [...recent]
          .filter(([id]) => id !== model?.id)
          .slice(0, 6)
          .map(([id, name]) => h('a', { class: 'button quiet', href: to('new', { model: id }), key: id }, name)),
      ),
      model === undefined &&
        h('p', { class: 'muted' }, 'Or drop one anywhere on this page. Models are .tflite files, quantized to int8.'),
    );
  }

  boards() {
    const { boards, devices, clone } = this.known;
    const counts = new Map(boards.map((b) => [b.id, devices.filter((d) => d.board === b.id).length]));
    const here = (/** @type {Board} */ b) => counts.get(b.id) ?? 0;
    const order = [...boards].sort((a, b) => Number(here(b) > 0) - Number(here(a) > 0) || rank(a) - rank(b));
    return h(
      'fieldset',
      { class: 'boards' },
      h('legend', null, '2 · Board'),
      order.length === 0 && empty('No board.', 'This daemon knows no boards.'),
      h(
        'div',
        { class: 'board-list' },
        order.map((b) => boardCard(b, here(b), clone?.board === b.id)),
      ),
      h('p', { class: 'muted hint' }, 'Several boards make several jobs, one for each.'),
    );
  }

  /** @param {Event} e */
  changed(e) {
    const form = /** @type {HTMLElement} */ (e.target).closest('form');
    this.chosen = form?.querySelectorAll('input[name=board]:checked').length ?? 0;
    this.show();
  }

  /** @param {SubmitEvent} e */
  async submit(e) {
    e.preventDefault();
    const { model, clone } = this.known;
    if (model === undefined) return;
    try {
      const request = requestOf(new FormData(/** @type {HTMLFormElement} */ (e.target)), model.id);
      const path = clone === undefined ? '/v1/jobs' : `/v1/jobs/${encodeURIComponent(clone.id)}/clone`;
      const answer = await this.page.api.send('POST', path, request);
      location.hash = answer.id === undefined ? to('') : to('jobs', answer.id);
    } catch (error) {
      this.error = error;
      this.show();
    }
  }
}

/** @param {Event} e main.js uploads it, as if it had been dropped */
function chosen(e) {
  e.stopPropagation();
  const file = /** @type {HTMLInputElement} */ (e.target).files?.[0];
  if (file !== undefined) dispatchEvent(new CustomEvent('model', { detail: file }));
}

/** @param {Model} m */
const modelLine = (m) =>
  h(
    'p',
    { class: 'model-line' },
    h('strong', null, m.name),
    h(
      'span',
      { class: 'muted' },
      `${bytes(m.bytes)} · ${short(m.macs)} MACs · ${m.tasks.length} different layers · ${m.inputs.map((t) => `${t.dtype} ${t.shape.join('×')}`).join(', ')} → ${m.outputs.map((t) => `${t.dtype} ${t.shape.join('×')}`).join(', ')}`,
    ),
  );

/** Twins with a model of time come first, then what only counts instructions; this computer last. @param {Board} b */
const rank = (b) => ['silicon', 'model', 'instructions', 'host'].indexOf(b.kind);

/** @param {Board} b @param {number} devices @param {boolean} taken */
const boardCard = (b, devices, taken) =>
  h(
    'label',
    { class: 'board', key: b.id },
    h('input', { type: 'checkbox', name: 'board', value: b.id, disabled: devices === 0, checked: taken }),
    h(
      'span',
      { class: 'board-text' },
      h('strong', null, b.id),
      h('span', null, b.title),
      h('span', { class: 'muted' }, `${b.cpu} · ${bytes(b.flashBytes)} flash · ${bytes(b.ramBytes)} RAM`),
      h(
        'span',
        { class: 'muted' },
        devices === 0 ? 'no device' : `${kindWords(b.kind)} · ${devices} ${devices === 1 ? 'device' : 'devices'}`,
      ),
    ),
  );
