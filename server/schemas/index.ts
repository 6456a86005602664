/** What goes over HTTP, as TypeBox schemas: routes check with them, OpenAPI shows them, the command line is typed by them. */

export * from './boards.ts';
export * from './devices.ts';
export * from './errors.ts';
export * from './filters.ts';
export * from './health.ts';
export * from './jobs.ts';
export * from './models.ts';
export * from './params.ts';
export * from './query.ts';
export * from './records.ts';
export * from './stats.ts';
export * from './tokens.ts';
export * from './trials.ts';
export * from './webhooks.ts';
export * from './workers.ts';
