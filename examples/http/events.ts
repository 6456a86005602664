/** Watches a job until it has ended: events.ts URL JOB */
import { Client } from '../../client/index.ts';

const [url = '', job = ''] = process.argv.slice(2);
const { MICROTUNE_TOKEN: token } = process.env;
const client = new Client(url, token === undefined ? {} : { token });
for await (const { type, data } of client.events(job))
  console.log(data.at, type, type === 'progress' ? data.trials : (data.message ?? data.state));
