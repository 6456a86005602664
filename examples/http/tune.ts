/** Uploads a model, tunes it and fetches the C library: tune.ts URL MODEL BOARD OUT.tar.gz [TRIALS] */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Client, RequestFailed, type Result } from '../../client/index.ts';

/** What could not be had ends the program, with the daemon's own words. */
function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new RequestFailed(result.error);
}

const [url = '', file = '', board = '', out = '', trials = '200'] = process.argv.slice(2);
const { MICROTUNE_TOKEN: token } = process.env;
const client = new Client(url, token === undefined ? {} : { token });

const model = must(await client.uploadModel(readFileSync(file), basename(file)));
const job = must(await client.addJob({ model: model.id, board, trials: Number(trials) }));
console.log(`job ${job.id}`);
for await (const { type, data } of client.events(job.id)) if (type === 'log') console.log(data.message);
const { state, error } = must(await client.job(job.id));
console.log(state);
if (state !== 'done') throw new Error(`${error?.code}: ${error?.detail}`);
writeFileSync(out, must(await client.artifact(job.id)));
console.log(`wrote ${out}`);
