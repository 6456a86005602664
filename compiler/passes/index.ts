/** The passes in order; the list reads like a table of contents. The graph is verified after each. */
import type { Graph } from '../graph/graph.ts';
import { verifyGraph } from '../graph/verify.ts';
import type { Rounding } from '../workload.ts';
import { foldConstants } from './fold-constants.ts';
import { fuseActivation } from './fuse-activation.ts';
import { fusePadding } from './fuse-padding.ts';
import type { Pass } from './pass.ts';
import { removeDeadChannels } from './remove-dead-channels.ts';
import { removeUnused } from './remove-unused.ts';
import { removeViews } from './remove-views.ts';

/** To add a pass: a file like remove-views.ts, and a line here at the place it needs. */
export const passes: readonly Pass[] = [
  foldConstants,
  fusePadding,
  fuseActivation,
  removeViews,
  removeUnused,
  removeDeadChannels,
  { ...removeUnused, name: 'remove-unused-again', reason: 'the constants that were cut stay behind' },
];

/** The graph after all passes, or ('none') after those that kernels depend on. Same outputs for every input. */
export function runPasses(
  graph: Graph,
  options: { readonly optional: 'all' | 'none'; readonly rounding?: Rounding },
): Graph {
  return passes
    .filter((pass) => pass.required || options.optional === 'all')
    .reduce((before, pass) => {
      const after = pass.run(before, options.rounding ?? 'double');
      const broken = verifyGraph(after);
      if (broken !== undefined) throw new Error(`pass ${pass.name}: ${broken}`);
      return after;
    }, graph);
}
