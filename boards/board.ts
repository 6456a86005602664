/**
 * What the rest knows of a board: data (memory, target, kind) and how to open one. A folder each, listed in index.ts.
 */
/** What a cycle count means. Never mixed in a ranking. */
export const kinds = ['silicon', 'model', 'instructions', 'host'] as const;
export type Kind = (typeof kinds)[number];

/** What code is compiled for. */
export interface Target {
  /** e.g. 'armv7e-m', 'x86_64'. */
  readonly isa: string;
  /** What templates and instructions may use: 'dsp', 'fpu'; 'places' where flash and RAM differ in speed. */
  readonly features: readonly string[];
  /** Compiler, found in PATH: 'arm-none-eabi-gcc', 'gcc'. */
  readonly compiler: string;
  /** Flags that select the CPU, e.g. ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16']. */
  readonly flags: readonly string[];
  /**
   * What makes kernels and libraries instead of `compiler`, with flags of its own before `flags`: compilers.ts. `compiler` makes
   * the server and links.
   */
  readonly kernels?: { readonly compiler: string; readonly flags: readonly string[] };
}
export interface MemoryRegion {
  readonly name: string;
  readonly base: number;
  readonly bytes: number;
  readonly role: 'flash' | 'ram';
}
/** Cores that the timing plugin models: boards/common/timing/core-*.c. */
export type TimingCore = 'cortex-m0plus' | 'cortex-m3' | 'cortex-m4' | 'cortex-m7' | 'cortex-m33' | 'cortex-m55';
export interface TimingCache {
  readonly name: string;
  readonly lines: number;
  /** Lines of a set; all of them where it is left out (fully associative). */
  readonly ways?: number;
  readonly lineBytes: number;
  /** What a miss brings in; the whole line where it is left out. */
  readonly sectorBytes?: number;
  /** What a write does; 'none' where the cache stands before flash. */
  readonly writes?: 'none' | 'through' | 'back';
}
export interface TimingRegion {
  readonly name: string;
  /** First address on the emulated machine, as 0x….. */
  readonly base: string;
  readonly bytes: number;
  /** Cycles that an access waits which no cache or buffer answers. */
  readonly readWait?: number;
  readonly writeWait?: number;
  /** Cycles that each fetched word waits, where instructions come word by word over the system bus. */
  readonly fetchWait?: number;
  /** Bytes that are read at once for instructions: the flash word. */
  readonly unit?: number;
  /** Equal parts that can be read at the same time. */
  readonly banks?: number;
  /** The next unit is read ahead. */
  readonly prefetch?: boolean;
  /** Names of caches. */
  readonly instructions?: string;
  readonly data?: string;
  /** Regions with the same number, not 0, share a bus for instructions and data. */
  readonly bus?: number;
}
/** What the timing plugin is told of a product. Regions that are left out cost nothing; accesses to them are counted. */
export interface Timing {
  readonly core: TimingCore;
  readonly caches: readonly TimingCache[];
  readonly regions: readonly TimingRegion[];
}
export interface Board {
  readonly id: string;
  readonly title: string;
  readonly kind: Kind;
  readonly cpu: string;
  readonly clockHz: number;
  readonly target: Target;
  readonly memory: readonly MemoryRegion[];
  /** Flash and RAM a network may use, bytes. */
  readonly flashBytes: number;
  readonly ramBytes: number;
  /** Of the load region, where a candidate's code and constants go. */
  readonly loadBytes: number;
  /** Of the data region in a trial, where the load region takes of `ramBytes`. */
  readonly dataBytes?: number;
  /** Of the regions ram_code and ram_data in a trial, both part of `ramBytes`; undefined where the board has none. */
  readonly placed?: { readonly codeBytes: number; readonly dataBytes: number };
  /** Bytes of a way of the largest set-associative cache: constants are aligned to it, so that equal trials meet equal sets. */
  readonly wayBytes?: number;
  /**
   * Bytes of the load region that lie in its first bank, where flash has several: a trial stays within, as code and constants
   * of two banks do not wait for each other, and those of a network mostly share one.
   */
  readonly bankBytes?: number;
  /** True when the same binary always gives the same count, so that one measured repeat suffices. */
  readonly deterministic: boolean;
}

/** Some KiB of one of a board's memories. */
export interface Part {
  /** Name of the memory. */
  readonly in: string;
  readonly fromKiB: number;
  readonly kiB: number;
}
/** How a board is emulated: on which machine, and how server, trials and networks share its memories (common/layout.ts). */
export interface Twin {
  /** Of QEMU; common/mps2/machines.ts knows what else it has. */
  readonly machine: string;
  /** Where each of the product's memories lies in the machine: '0x20000000' by name. */
  readonly at: Readonly<Record<string, string>>;
  /** Name of the memory that holds server and network. */
  readonly flash: string;
  /** The server's variables, its stack, and at the end the stack of calls. A power of two, aligned; its bytes are no network's. */
  readonly server: Part;
  /** Of calls; a power of two. */
  readonly stackKiB: number;
  /** What trials load; behind the server where it lies in flash. */
  readonly load: Part;
  readonly data: Part;
  /** What schedules place in RAM: absent where that makes no difference. A network may use all of RAM, however this is cut. */
  readonly ramCode?: Part;
  readonly ramData?: Part;
  /** Where data accesses see the memory of `ramCode`, if not where code does. */
  readonly ramCodeSeenAt?: string;
  /** Cycles of the product. Regions have the names of memories, and with that their addresses. */
  readonly timing?: {
    readonly core: TimingCore;
    readonly caches: readonly TimingCache[];
    readonly regions: readonly Omit<TimingRegion, 'base' | 'bytes'>[];
  };
}
/** Drivers of a real part: a folder of common/stm32 each. */
export type Stm32Family = 'f4' | 'g0' | 'g4' | 'h7' | 'l4' | 'u5';
/** A tool that puts firmware on a board; server/firmware.ts runs the first that is installed. */
export type FlashTool =
  /** Files of OpenOCD's scripts folder: the probe, the part. */
  | { readonly tool: 'openocd'; readonly files: readonly string[] }
  /** `--target` of pyOCD. */
  | { readonly tool: 'pyocd'; readonly target: string }
  /** Address of the image. */
  | { readonly tool: 'st-flash'; readonly address: string }
  /** A boot loader that shows itself as a volume with this name and takes UF2 files. */
  | { readonly tool: 'uf2'; readonly volume: string };
/** The real product: how server, trials and networks share its memories at their own addresses, and how firmware gets there. */
export interface Silicon {
  readonly family: Stm32Family;
  readonly flash: string;
  readonly server: Part;
  readonly stackKiB: number;
  /** RAM: flash is not written a trial at a time. */
  readonly load: Part;
  readonly data: Part;
  readonly tools: readonly FlashTool[];
}
/** What board.json states of an emulated board; common/twin.ts computes the rest of `Board` from it. */
export type TwinData = Omit<
  Board,
  'flashBytes' | 'ramBytes' | 'loadBytes' | 'placed' | 'wayBytes' | 'bankBytes' | 'deterministic'
> & {
  readonly twin: Twin;
  readonly silicon?: Silicon;
};
