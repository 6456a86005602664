/** Asks the log: query.ts URL. SQL over the views of /v1/schema, then every record, page by page. */
import { Client } from '../../client/index.ts';

const [url = ''] = process.argv.slice(2);
const { MICROTUNE_TOKEN: token } = process.env;
const client = new Client(url, token === undefined ? {} : { token });

const answer = await client.query('SELECT board, status, count(*) AS n FROM trials WHERE kind = ? GROUP BY 1, 2', [
  'instructions',
]);
if (answer.ok) console.table(answer.value.rows);
else console.error(`${answer.error.code}: ${answer.error.detail}`);

let count = 0;
for await (const record of client.eachRecord({ status: 'ok' })) if (record.cycles !== null) count += 1;
console.log(`${count} records`);
