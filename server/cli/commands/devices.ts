/** `microtune devices`: the devices of a running daemon: which there are, who may use them, what happened to them. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Client } from '../../../client/client.ts';
import { ok, type Result } from '../../../compiler/result.ts';
import type { DeviceBody, DeviceEventBody } from '../../schemas/index.ts';
import { neededDaemon } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { attached, type CommonOptions, common, instant, type RemoteOptions, remote, whole } from '../options.ts';
import { count, table } from '../table.ts';

interface DevicesOptions extends CommonOptions, RemoteOptions {}
interface AddOptions extends DevicesOptions {
  readonly emulate?: number;
}
interface HistoryOptions extends DevicesOptions {
  readonly since?: string;
  readonly limit: number;
}

export function addDevices(program: Command, act: Act): void {
  const devices = program.command('devices').description("the daemon's devices: list them, or change them");
  asked(devices, 'microtune devices').action(act(list));
  const add = devices
    .command('add')
    .description('attach a board at a serial port or HOST:PORT, or emulate more of one; jobs under way use it at once')
    .argument('<board=where>', 'a board and its port, or with --emulate only a board')
    .option('--emulate <n>', 'emulate so many more of the board', whole(1, 64));
  asked(add, 'microtune devices add nucleo-l4r5zi=/dev/ttyACM0').action(act(addSome));
  const remove = devices.command('remove').description('take a device away that is not at work').argument('<name>');
  asked(remove, "microtune devices remove 'host#1'").action(act(removeOne));
  const verbs: readonly [string, string, Verb][] = [
    ['drain', 'let a device end what it is at and give it nothing new', (client, name) => client.drain(name)],
    ['release', 'end a quarantine or drain: back to work', (client, name) => client.release(name)],
  ];
  for (const [verb, about, ask] of verbs)
    asked(devices.command(verb).description(about).argument('<name>'), `microtune devices ${verb} /dev/ttyACM0`).action(
      act((_io: Io, name: string, o: DevicesOptions) => changed(o, (client) => ask(client, name))),
    );
  const quarantine = devices
    .command('quarantine')
    .description('keep a device from work until it is released')
    .argument('<name>')
    .argument('<reason>', 'shown to whoever wonders why');
  asked(quarantine, "microtune devices quarantine /dev/ttyACM0 'loose cable'").action(
    act((_io: Io, name: string, reason: string, o: DevicesOptions) =>
      changed(o, (client) => client.quarantine(name, reason)),
    ),
  );
  const history = devices
    .command('history')
    .description('what happened to a device, newest first')
    .argument('<name>')
    .option('--since <time>', 'from this date or time on', instant)
    .option('--limit <n>', 'at most so many', whole(1, 1000), 50);
  asked(history, 'microtune devices history /dev/ttyACM0').action(act(historyOf));
}
type Verb = (client: Client, name: string) => Promise<Result<DeviceBody>>;

const asked = (command: Command, example: string): Command => common(remote(command), example);

/** What the daemon answers; without one there are no devices. */
async function asking<T>(o: DevicesOptions, ask: (client: Client) => Promise<Result<T>>): Promise<Result<T>> {
  const client = neededDaemon(o, 'and only a daemon has devices');
  return client.ok ? ask(client.value) : client;
}

async function list(_io: Io, o: DevicesOptions): Shows {
  const devices = await asking(o, (client) => client.devices());
  return devices.ok ? ok({ json: devices.value.items, text: listText(devices.value.items) }) : devices;
}

async function addSome(_io: Io, what: string, o: AddOptions): Shows {
  const request = o.emulate === undefined ? attached(what) : { board: boardIn(what), emulate: o.emulate };
  const added = await asking(o, (client) => client.addDevice(request));
  return added.ok ? ok({ json: added.value.items, text: listText(added.value.items) }) : added;
}
function boardIn(text: string): string {
  if (text.includes('=')) throw new InvalidArgumentError('With --emulate only a board is needed, not where it is.');
  return text;
}

async function removeOne(_io: Io, name: string, o: DevicesOptions): Shows {
  const removed = await asking(o, (client) => client.removeDevice(name));
  return removed.ok ? ok({ json: { removed: name }, text: `${name} is taken away` }) : removed;
}

async function changed(o: DevicesOptions, ask: (client: Client) => Promise<Result<DeviceBody>>): Shows {
  const device = await asking(o, ask);
  return device.ok ? ok({ json: device.value, text: listText([device.value]) }) : device;
}

async function historyOf(_io: Io, name: string, { since, limit, ...o }: HistoryOptions): Shows {
  const query = { limit, ...(since !== undefined && { since }) };
  const page = await asking(o, (client) => client.deviceHistory(name, query));
  return page.ok ? ok({ json: page.value.items, text: historyText(page.value.items) }) : page;
}

const percent = (share: number): string => `${Math.round(100 * share)}%`;
/** Why it does not work, or not as it should. */
const remark = (d: DeviceBody): string =>
  (d.draining ? 'drained' : (d.quarantine?.reason ?? (d.state === 'unplugged' ? d.reason : d.warning))) ?? '-';

const listText = (devices: readonly DeviceBody[]): string =>
  table(
    ['device', 'board', 'counts', 'by', 'state', '>last hour', '>trials', '>failures', '>recoveries', 'remark'],
    devices.map((d) => [
      d.name,
      d.board,
      d.kind,
      d.transport,
      d.state,
      percent(d.utilisation),
      count(d.stats.trials),
      count(d.stats.failures),
      count(d.stats.recoveries),
      remark(d),
    ]),
  );

const historyText = (events: readonly DeviceEventBody[]): string =>
  table(
    ['time', 'event', 'job', 'detail'],
    events.map((e) => [e.at, e.event, e.job ?? '-', e.detail]),
  );
