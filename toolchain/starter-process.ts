/**
 * A small process that starts tools for a large one: to start a program the system copies the page tables of whoever starts it, for
 * which a daemon of some hundred megabytes stands still. Must stay true: it ends with the process that it works for, and so do its
 * tools.
 */
import type { Order, Said } from './starter.ts';
import { Tools } from './tools.ts';

const tools = new Tools();
/** Where nobody is there to hear it any more, `disconnect` follows. */
function say(said: Said): void {
  if (process.connected) process.send?.(said, () => undefined);
}
process.on('message', async ({ id, tool }: Order) => say({ kind: 'ran', id, ran: await tools.run(tool) }));
process.on('disconnect', () => {
  tools.kill();
  process.exit(0);
});
say({ kind: 'up' });
