// @ts-check
/** The layers of a job's network, in the order in which they run: from its report where there is one, else from its tasks so far. */

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} op
 * @property {string} task
 * @property {number} macs
 * @property {number | null} cycles  Tuned.
 * @property {number | null} before  With its default schedule.
 * @property {number | null} trials
 * @property {string | null} schedule
 * @property {string | null} record  The trial that it rests on, where the report says so.
 * @property {number} refused
 */

/**
 * @param {import('../schemas/index.ts').JobBody} job
 * @param {import('../schemas/index.ts').ModelBody} model
 * @returns {readonly Layer[]}
 */
export function layersOf(job, model) {
  const tasks = new Map(job.tasks.map((t) => [t.id, t]));
  const order = model.tasks.flatMap((t) => (t.layers ?? []).map((at) => ({ at, task: t }))).sort((a, b) => a.at - b.at);
  /** @type {readonly any[] | undefined} */
  const reported = /** @type {any} */ (job.report)?.layers;
  return order.map(({ task }, i) => {
    const known = tasks.get(task.id);
    const layer = reported?.[i];
    return {
      name: layer?.name ?? `layer_${String(i).padStart(2, '0')}_${task.op}`,
      op: task.op,
      task: task.id,
      macs: task.macs,
      cycles: layer?.cycles ?? known?.best ?? null,
      before: layer?.defaultCycles ?? known?.default ?? null,
      trials: known?.trials ?? null,
      schedule: layer?.schedule ?? known?.schedule ?? null,
      record: layer?.record ?? null,
      refused: layer?.refused?.length ?? 0,
    };
  });
}
