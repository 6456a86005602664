/**
 * The Raspberry Pi Pico. Its emulator is rp2040js in a process of its own (emulator.ts); its firmware is that of the real board,
 * but for where trials are loaded: the emulator's flash can be written, so that code runs from where it will ship.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { type Bulk, connect } from '../../firmware-rpc/host/client.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';
import { listenOnce } from '../../firmware-rpc/host/socket.ts';
import { readElf } from '../../toolchain/index.ts';
import type { Board, FlashTool } from '../board.ts';
import { type BuildRecipe, buildServer } from '../common/build.ts';
import { type CortexM, cortexMRecipe } from '../common/cortex-m/recipe.ts';
import type { Shares } from '../common/layout.ts';
import { readMailbox } from '../common/mailbox.ts';
import { onSilicon } from '../common/silicon.ts';
import type { BoardModule, BuildRequest, BuiltFirmware } from '../module.ts';
import data from './board.json' with { type: 'json' };
import { hostMemory, mailbox, stagingBytes } from './emulator/host-memory.ts';
import { bootChecksum, secondStageBytes, uf2 } from './image.ts';

const { twin, silicon, ...rest } = data;
const board = rest as Board;
/** How the real one shares out its memory: trials are loaded into RAM, all of them. */
const { ramCode: _code, ramData: _data, ...shared } = twin;
const productShares = { ...shared, load: silicon.load, data: silicon.data };
const here = import.meta.dirname;
/** An emulated second may take this many real ones on a busy machine before a call is given up as lost. */
const slowdown = 200;

export const pico: BoardModule = {
  ...board,
  build: (request) =>
    build(twin, { MT_STAGING: `${hostMemory.base}u`, MT_STAGING_BYTES: `${hostMemory.bytes}u` }, request),
  counters: (device) => readMailbox(device, mailbox),
  product: {
    board: onSilicon(board, productShares),
    build: buildForSilicon,
    tools: silicon.tools as readonly FlashTool[],
  },
  async open({ firmware, bulk }) {
    const listener = await listenOnce();
    // In a session of its own: Ctrl-C in our terminal is for us to handle. It ends when its standard input does.
    const child = spawn(process.execPath, [join(here, 'emulator.ts'), firmware.bin, String(listener.port)], {
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      detached: true,
    });
    const ended = endOf(child);
    void ended.then(() => listener.close());
    try {
      const onClose = async (): Promise<void> => stop(child, ended);
      const road = bulk === 'shared' ? { bulk: bulkTo(child, ended) } : {};
      return { ok: true, value: await connect(await listener.peer, { slowdown, onClose, ...road }) };
    } catch (error) {
      await stop(child, ended);
      const detail = `${error instanceof Error ? error.message : String(error)}; ${await ended}`;
      return { ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE', detail } };
    }
  },
};

/** For the real board. Beside the .bin lies the .uf2 that its USB drive takes. */
async function buildForSilicon(request: BuildRequest): Promise<Result<BuiltFirmware>> {
  const built = await build(productShares, {}, request);
  if (built.ok) {
    const flash = data.memory[0];
    if (flash === undefined) throw new Error('board.json knows no flash');
    writeFileSync(join(request.dir, `${request.name}.uf2`), uf2(readFileSync(built.value.bin), flash.base));
  }
  return built;
}

async function build(
  shares: Shares,
  defines: NonNullable<CortexM['defines']>,
  request: BuildRequest,
): Promise<Result<BuiltFirmware>> {
  const built = await buildServer(recipeOf(shares, defines), request);
  if (built.ok) addChecksum(built.value);
  return built;
}

function recipeOf(shares: Shares, defines: NonNullable<CortexM['defines']>): BuildRecipe {
  const sources = ['boot2.c', 'pico.c'].map((f) => join(here, f));
  const recipe = cortexMRecipe({ board, shares, sources, includeDirs: [here], defines });
  return { ...recipe, flags: [...recipe.flags, '-Os'], insertScripts: [join(here, 'pico.ld')] };
}

/** The boot ROM refuses a second stage without it. */
function addChecksum({ elf, bin }: BuiltFirmware): void {
  const image = readFileSync(bin);
  const checksum = bootChecksum(image);
  image.writeUInt32LE(checksum, secondStageBytes - 4);
  writeFileSync(bin, image);
  const file = readFileSync(elf);
  const section = readElf(file).sections.find((s) => s.name === '.boot2');
  if (section === undefined) throw new Error('the firmware has no second stage');
  file.writeUInt32LE(checksum, section.offset + secondStageBytes - 4);
  writeFileSync(elf, file);
}

/** Bytes into the emulator's staging memory; each part is there before the next command can ask for it. */
const bulkTo = (child: ChildProcess, ended: Promise<string>): Bulk => ({
  bytes: stagingBytes,
  async write(offset, bytes) {
    const taken = new Promise<undefined>((resolve) => child.once('message', () => resolve(undefined)));
    // Where that fails the emulator is ending, and says why.
    if (child.connected) child.send({ offset, bytes }, () => undefined);
    const reason = await Promise.race([taken, ended]);
    if (reason !== undefined) throw new LinkError(reason);
  },
});

/** How the emulator ended, in words. */
function endOf(child: ChildProcess): Promise<string> {
  let log = '';
  child.stderr?.on('data', (d: Buffer) => {
    log = (log + d.toString()).slice(-4096);
  });
  child.stdin?.on('error', () => undefined);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`the emulator could not be started: ${error.message}`));
    child.once('close', (code, signal) =>
      resolve(`the emulator ended (${signal ?? `code ${code}`}) ${log.trim().slice(-300)}`.trim()),
    );
  });
}

/** One that is at work in a call looks for its input's end only now and then: it is ended. */
async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}
