/** Looks at the devices, adds an emulated one, and keeps one from work: devices.ts URL BOARD */
import { Client, RequestFailed, type Result } from '../../client/index.ts';

function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new RequestFailed(result.error);
}

const [url = '', board = ''] = process.argv.slice(2);
const { MICROTUNE_TOKEN: token } = process.env;
const client = new Client(url, token === undefined ? {} : { token });

for (const d of must(await client.devices()).items) if (d.board === board) console.log(d.name, d.state);
for (const d of must(await client.addDevice({ board, emulate: 1 })).items) console.log('new:', d.name);
const kept = must(await client.quarantine(`${board}#0`, 'looked odd'));
console.log(kept.name, kept.state, kept.quarantine?.reason);
for (const e of must(await client.deviceHistory(kept.name, { limit: 5 })).items) console.log(e.at, e.event, e.detail);
console.log(must(await client.release(kept.name)).state);
