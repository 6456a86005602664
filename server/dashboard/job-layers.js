// @ts-check
/** The layers of a job's network, as bars and as a table. */
import { h } from './dom.js';
import { flame } from './flame.js';
import { count, layerName, short, speedUp, unit } from './format.js';
import { layersOf } from './layers.js';
import { to } from './router.js';
import { share, table } from './ui.js';

/** @typedef {import('../schemas/index.ts').JobBody} Job */
/** @typedef {import('./layers.js').Layer & { href: string }} Layer */

/**
 * The layers of a job, each with the address of its task.
 * @param {Job} job
 * @param {import('../schemas/index.ts').ModelBody} model
 * @returns {readonly Layer[]}
 */
export const linkedLayers = (job, model) =>
  layersOf(job, model).map((l) => ({
    ...l,
    href: to('tasks', l.task, { board: job.board, kind: job.kind, job: job.id }),
  }));

/**
 * @param {readonly Layer[]} layers
 * @param {Job} job
 * @param {import('./ui.js').Sorting | undefined} sorting
 * @param {(next: import('./ui.js').Sorting) => void} onSort
 */
export function layersPart(layers, job, sorting, onSort) {
  const total = layers.reduce((n, l) => n + (l.cycles ?? 0), 0);
  return h(
    'div',
    null,
    flame(layers, job.kind),
    table({
      label: 'Layers',
      rows: layers,
      key: (l) => l.name,
      sorting,
      onSort,
      columns: [
        { name: 'layer', cell: (l) => h('a', { href: l.href }, layerName(l.name)), by: (l) => l.name },
        { name: 'MACs', as: 'right', cell: (l) => short(l.macs), by: (l) => l.macs },
        { name: `default ${unit(job.kind)}`, as: 'right', cell: (l) => count(l.before), by: (l) => l.before },
        { name: 'tuned', as: 'right', cell: (l) => count(l.cycles), by: (l) => l.cycles },
        { name: 'share', cell: (l) => share(l.cycles, total), by: (l) => l.cycles },
        {
          name: 'speed-up',
          as: 'right',
          cell: (l) => speedUp(l.before, l.cycles),
          by: (l) => (l.before ?? 0) / (l.cycles || 1),
        },
        {
          name: 'per MAC',
          as: 'right',
          cell: (l) => (l.cycles && l.macs ? (l.cycles / l.macs).toFixed(2) : '–'),
          by: (l) => (l.cycles ?? 0) / (l.macs || 1),
        },
        { name: 'trials', as: 'right', cell: (l) => count(l.trials), by: (l) => l.trials },
        {
          name: 'schedule',
          as: 'wide',
          cell: (l) =>
            h(
              'span',
              { class: 'muted' },
              l.schedule ?? '',
              l.refused > 0 ? ` (${l.refused} faster refused by its constants)` : '',
            ),
          by: (l) => l.schedule,
        },
      ],
    }),
  );
}
