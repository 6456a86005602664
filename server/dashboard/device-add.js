// @ts-check
/** The form that adds a device: a serial path or a host and port, or some more emulated ones. */
import { h } from './dom.js';
import { counted } from './format.js';
import { field, select } from './ui.js';

/**
 * @param {import('./page.js').Page} page
 * @param {readonly import('../schemas/index.ts').BoardBody[]} boards
 * @param {() => Promise<void>} reload
 */
export function addDevice(page, boards, reload) {
  const submit = (/** @type {SubmitEvent} */ e) => {
    e.preventDefault();
    const form = /** @type {HTMLFormElement} */ (e.target);
    const data = new FormData(form);
    const [board, address, number] = ['board', 'address', 'emulate'].map((n) => String(data.get(n) ?? '').trim());
    const emulate = Number(number || 1);
    return page.act(async () => {
      await page.api.send('POST', '/v1/devices', address ? { board, address } : { board, emulate });
      form.reset();
      await reload();
      return `${board}: ${counted(address ? 1 : emulate, 'device')} more`;
    });
  };
  return h(
    'form',
    { class: 'fields', onsubmit: submit },
    field(
      'Board',
      select(
        'board',
        boards.map((b) => /** @type {const} */ ([b.id, b.title || b.id])),
        '',
      ),
    ),
    field(
      'Address',
      h('input', { name: 'address', placeholder: '/dev/ttyACM0 or 10.0.0.7:4000' }),
      'of an attached board',
    ),
    field('Or emulate', h('input', { name: 'emulate', type: 'number', min: 1, max: 64, placeholder: '1' }), 'how many'),
    h(
      'div',
      { class: 'field' },
      h('span', { class: 'field-label' }, '\u00a0'),
      h('button', { class: 'button primary' }, 'Add'),
    ),
  );
}
