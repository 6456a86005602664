/** `microtune firmware`: the server for a board, built and put on a real one. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type FirmwareSizes, serverSizes, sizeLines } from '../../../boards/common/server-size.ts';
import type { BoardModule, BuiltFirmware, Product } from '../../../boards/index.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { makeDir } from '../../../db/make-dir.ts';
import { type FlashPlan, flash, planFlash, planWith } from '../../firmware.ts';
import { shellLine } from '../../shell-words.ts';
import { cacheOf } from '../artifact.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { boardNamed } from '../model.ts';
import { type CommonOptions, common } from '../options.ts';

interface BuildOptions extends CommonOptions {
  readonly board: string;
  readonly out: string;
  readonly twin?: true;
}
interface FlashOptions extends CommonOptions {
  readonly board: string;
  readonly port?: string;
  readonly print?: true;
}

export function addFirmware(program: Command, act: Act): void {
  const firmware = program.command('firmware').description('build the on-device server, and flash real boards with it');
  const build = firmware
    .command('build')
    .description('build the server of a real board: an ELF file and the image that is flashed')
    .requiredOption('--board <board>', 'see the boards command')
    .option('--out <dir>', 'where the files go', 'firmware-out')
    .option('--twin', 'for the emulated board instead');
  common(build, 'microtune firmware build --board nucleo-l4r5zi --out out').action(act(buildCommand));
  const flashing = firmware
    .command('flash')
    .description('build the server and flash it: OpenOCD, pyOCD, st-flash or a UF2 copy, whichever the board names')
    .requiredOption('--board <board>', 'see the boards command')
    .option('--port <where>', 'which board of several: its serial port, or the folder of its boot loader')
    .option('--print', 'only print the command');
  common(flashing, 'microtune firmware flash --board nucleo-l4r5zi --port /dev/ttyACM0').action(act(flashCommand));
}

async function buildCommand(_io: Io, o: BuildOptions): Shows {
  const board = boardNamed(o.board);
  if (!board.ok) return board;
  const source = o.twin === true ? twinOf(board.value) : productOf(board.value);
  if (!source.ok) return source;
  const dir = resolve(o.out);
  makeDir(dir);
  const built = await source.value.build({ dir, name: o.board, objects: [] });
  if (!built.ok) return built;
  const cache = cacheOf(o.data);
  try {
    makeDir(cache.dir);
    const server = await serverSizes(board.value.target, cache.dir);
    return server.ok ? ok(shown(o.board, built.value, server.value)) : server;
  } finally {
    cache.done();
  }
}

function shown(board: string, { elf, bin, buildId, sizes }: BuiltFirmware, server: FirmwareSizes) {
  const text = [`${board}, build ${buildId}`, ...sizeLines(server, sizes), elf, bin].join('\n');
  return { json: { board, elf, bin, buildId, sizes: { server, firmware: sizes } }, text };
}

async function flashCommand(io: Io, o: FlashOptions): Shows {
  const board = boardNamed(o.board);
  if (!board.ok) return board;
  const product = productOf(board.value);
  if (!product.ok) return product;
  const dir = join(resolve(o.data), 'firmware', o.board);
  makeDir(dir);
  const firmware = await product.value.build({ dir, name: 'server', objects: [] });
  if (!firmware.ok) return firmware;
  const request = {
    board: o.board,
    product: product.value,
    firmware: firmware.value,
    ...(o.port !== undefined && { where: o.port }),
  };
  if (o.print === true) {
    // What would be run if the tool were there.
    const planned = planFlash(request);
    const [first] = product.value.tools;
    const plan = planned.ok || first === undefined ? planned : planWith(first, request);
    return plan.ok ? ok({ json: plan.value, text: commandLine(plan.value) }) : plan;
  }
  const plan = planFlash(request);
  if (!plan.ok) return plan;
  io.news(commandLine(plan.value));
  const done = await flash(plan.value);
  if (!done.ok) return done;
  const { buildId } = firmware.value;
  return ok({ json: { ...plan.value, buildId }, text: `${o.board} runs build ${buildId}` });
}

const twinOf = (board: BoardModule): Result<Pick<Product, 'build'>> =>
  board.open === undefined ? failed('input', 'NOT_EMULATED', `${board.id} exists only as hardware`) : ok(board);
const productOf = ({ id, product }: BoardModule): Result<Product> =>
  product === undefined ? failed('input', 'NO_PRODUCT', `${id} has no firmware for hardware`) : ok(product);

/** As a shell reads it. */
export const commandLine = ({ command }: FlashPlan): string => shellLine(command);
