/**
 * The process that starts compilers, seen from the one that needs them. Must stay true: it keeps nobody from ending, and nothing is
 * left of it; if it ends itself, its tools count as killed and the next tool gets another one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Ran, Tool } from './tools.ts';

export interface Order {
  readonly id: number;
  readonly tool: Tool;
}
/** What it says when it has come up, and of each tool that has ended. */
export type Said = { readonly kind: 'up' } | { readonly kind: 'ran'; readonly id: number; readonly ran: Ran };

/** Of its heap, MiB: it holds what tools say until they end, and is to stay as small as it is for weeks. */
const limits = ['--max-semi-space-size=1', '--max-old-space-size=256'];

class Starter {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (ran: Ran) => void>();
  private last = 0;
  private state: 'starting' | 'up' | 'ended' = 'starting';

  constructor() {
    // In a group of its own: Ctrl-C is for the process that it works for, which may want to end in good order. By a shell that
    // ends at once, so that it is the system's child: a thread that is gone would collect nothing of it.
    const command = [process.execPath, ...limits, join(import.meta.dirname, 'starter-process.ts')];
    this.child = spawn('/bin/sh', ['-c', '"$@" &', 'sh', ...command], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
      // A locale that Node does not know would be its end.
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.child.on('message', (said) => this.heard(said as Said));
    this.child.on('error', (error) => this.lost(error.message));
    this.child.on('disconnect', () => this.lost('the process that starts compilers has ended'));
    this.child.unref();
    this.child.channel?.unref();
  }

  get usable(): boolean {
    return this.state !== 'ended';
  }

  run(tool: Tool): Promise<Ran> {
    return new Promise((resolve) => {
      const id = ++this.last;
      this.waiting.set(id, resolve);
      this.child.channel?.ref();
      const order: Order = { id, tool };
      this.child.send(order, (error) => error !== null && this.lost(error.message));
    });
  }

  private heard(said: Said): void {
    switch (said.kind) {
      case 'up':
        this.state = 'up';
        return;
      case 'ran':
        this.waiting.get(said.id)?.(said.ran);
        this.waiting.delete(said.id);
        if (this.waiting.size === 0) this.child.channel?.unref();
    }
  }
  /** What it had under way is as if somebody had killed it, for so it is; before it came up, nothing was under way. */
  private lost(why: string): void {
    const came: Pick<Ran, 'signal' | 'stderr'> =
      this.state === 'starting' ? { signal: null, stderr: `fork failed: ${why}` } : { signal: 'SIGKILL', stderr: why };
    this.state = 'ended';
    for (const resolve of this.waiting.values()) resolve({ code: null, stdout: '', ...came });
    this.waiting.clear();
  }
}

/** One for each process of ours, made when the first compiler is started. */
const ofProcess: { starter?: Starter } = {};

/** Runs a tool to its end, started by the small process; never rejects. */
export function startElsewhere(tool: Tool): Promise<Ran> {
  if (ofProcess.starter?.usable !== true) ofProcess.starter = new Starter();
  return ofProcess.starter.run(tool);
}
