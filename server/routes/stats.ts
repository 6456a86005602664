/** The log as a whole: the best, curves, failures, knobs, points of a scatter plot, tasks. Counts of several kinds never meet. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Curve, FailureKey } from '../../db/log-types.ts';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import {
  BestList,
  CurveBody,
  ErrorBody,
  FailureList,
  FilterQuery,
  filterOf,
  KindBody,
  KnobList,
  LogTaskList,
  LogTaskWhole,
  OneOf,
  ScatterList,
  Word,
} from '../schemas/index.ts';

const keys = ['stage', 'code', 'device', 'template', 'job'] as const satisfies readonly FailureKey[];
const strict = { additionalProperties: false } as const;
const place = { task: Word, board: Word, kind: KindBody };
const limit = (most: number, usual: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: most, default: usual }));

const CurveQuery = Type.Object(
  {
    job: Type.Optional(Word),
    task: Type.Optional(Word),
    board: Type.Optional(Word),
    kind: Type.Optional(KindBody),
    policy: Type.Optional(Word),
  },
  strict,
);
const TaskQuery = Type.Object(
  {
    network: Type.Optional(Word),
    board: Type.Optional(Word),
    kind: Type.Optional(KindBody),
    op: Type.Optional(Word),
    limit: limit(1000, 100),
    cursor: Type.Optional(Type.String({ maxLength: 400 })),
  },
  strict,
);
const mostPoints = 10_000;
/** Sent as text: to write so many points by their schema takes several times as long. */
const ScatterText = Type.Unsafe<string>(ScatterList);

export const statsRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { log } = c.store;
    const answers = { '4xx': ErrorBody };

    app.get(
      '/v1/stats/best',
      {
        schema: {
          summary: 'Of each task, board and kind: how many trials, and the best',
          querystring: FilterQuery({}),
          response: { 200: BestList, ...answers },
        },
      },
      async ({ query }) => ({ items: [...log.best(filterOf(query))] }),
    );

    app.get(
      '/v1/stats/failures',
      {
        schema: {
          summary: 'How often trials fail: by stage, code, device, template or job',
          querystring: FilterQuery({ by: OneOf(keys) }),
          response: { 200: FailureList, ...answers },
        },
      },
      async ({ query }) => ({ items: [...log.failures(filterOf(query), query.by)] }),
    );

    app.get(
      '/v1/stats/curve',
      {
        schema: {
          summary: 'The best that is known against the number of trials',
          description:
            'Of a `job`: the sum over the layers of its network, or one `task` of it. Without a job: of a `task` on a `board` in a `kind`, over all jobs, or of the trials of one `policy`.',
          querystring: CurveQuery,
          response: { 200: CurveBody, ...answers },
        },
      },
      async ({ query }) => {
        const curve = orThrow(curveOf(c, query));
        return { ...curve, job: query.job ?? null, points: [...curve.points] };
      },
    );

    app.get(
      '/v1/stats/knobs',
      {
        schema: {
          summary: 'What became of the trials with each value of each knob',
          description: 'Over the latest 10,000 trials.',
          querystring: Type.Object({ ...place, template: Type.Optional(Word) }, strict),
          response: { 200: KnobList, ...answers },
        },
      },
      async ({ query }) => ({ items: [...log.knobs(query)] }),
    );

    app.get(
      '/v1/stats/scatter',
      {
        schema: {
          summary: 'Every trial of a task as a point, oldest first; the latest ones where there are more than `limit`',
          querystring: Type.Object(
            { ...place, job: Type.Optional(Word), limit: limit(mostPoints, mostPoints) },
            strict,
          ),
          response: { 200: ScatterText, ...answers },
        },
      },
      async ({ query: { limit = mostPoints, ...of } }, reply) =>
        reply.type('application/json').send(JSON.stringify({ items: log.scatter(of, limit) })),
    );

    app.get(
      '/v1/tasks',
      { schema: { summary: 'Tasks of the log', querystring: TaskQuery, response: { 200: LogTaskList, ...answers } } },
      async ({ query: { limit = 100, cursor, ...filter } }) => {
        const { items, next } = log.tasks(filter, limit, cursor);
        return { items: items.map((t) => ({ ...t, networks: [...t.networks] })), next };
      },
    );

    app.get(
      '/v1/tasks/:id',
      {
        schema: {
          summary: 'A task, and the fastest of each board and kind',
          params: Type.Object({ id: Word }),
          response: { 200: LogTaskWhole, ...answers },
        },
      },
      async ({ params: { id } }) => {
        const task = log.task(id);
        if (task === undefined) return orThrow(failed('request', 'TASK_NOT_FOUND', `no task has the id "${id}"`));
        return { ...task, networks: [...task.networks], bests: [...task.bests] };
      },
    );
  };

type CurveRequest = Readonly<Partial<Record<'job' | 'task' | 'board' | 'policy', string>>> & {
  readonly kind?: Curve['kind'];
};

/** Failures: JOB_NOT_FOUND, BAD_REQUEST. */
function curveOf(c: AppContext, { job, task, board, kind, policy }: CurveRequest): Result<Curve> {
  const { log } = c.store;
  if (job !== undefined && policy === undefined) {
    const row = jobOf(c, job);
    if (!row.ok) return row;
    if (task !== undefined) return ok(log.curveOfTask({ task, board: row.value.board, kind: row.value.kind, job }));
    // An older program did not note the layers of this model: being prepared, they are.
    if (log.tasks({ network: row.value.model }, 1).items.length === 0) c.models.prepared(row.value.model);
    return ok(log.curveOfJob(job));
  }
  return job !== undefined || task === undefined || board === undefined || kind === undefined || kind === null
    ? failed(
        'request',
        'BAD_REQUEST',
        'a curve is of a `job`, or of a `task` on a `board` in a `kind` and, if wanted, of one `policy`',
      )
    : ok(log.curveOfTask({ task, board, kind, ...(policy !== undefined && { policy }) }));
}
