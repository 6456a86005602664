/** `microtune boards`: what can be compiled for and tuned on. */
import type { Command } from 'commander';
import { type BoardModule, boards } from '../../../boards/index.ts';
import { ok } from '../../../compiler/result.ts';
import type { Act } from '../index.ts';
import { common } from '../options.ts';
import { count, table } from '../table.ts';
import { addDoctor } from './doctor.ts';

export function addBoards(program: Command, act: Act): void {
  const command = program.command('boards').description('list the boards that are supported').enablePositionalOptions();
  common(command, 'microtune boards --json').action(act(async () => ok({ json: boards.map(plain), text: listed() })));
  addDoctor(command, act);
}

const emulated = (b: BoardModule): string => (b.open === undefined ? 'no' : 'yes');

/** A board as data, without its code. */
const plain = ({ build: _, open, ...data }: BoardModule) => ({ ...data, emulated: open !== undefined });

const listed = (): string =>
  table(
    ['board', 'cpu', 'counts', '>MHz', '>flash KiB', '>RAM KiB', 'emulated', 'what it is'],
    boards.map((b) => [
      b.id,
      b.cpu,
      b.kind,
      count(b.clockHz / 1e6),
      count(b.flashBytes / 1024),
      count(b.ramBytes / 1024),
      emulated(b),
      b.title,
    ]),
  );
