/** The contract of a model format: a folder each beside this file, listed in index.ts. */
import type { Graph } from '../graph/graph.ts';
import type { Result } from '../result.ts';

/** A graph as it was read, and the byte of the file where each node stands, for errors. */
export interface ReadModel {
  readonly graph: Graph;
  readonly places: readonly number[];
}
export interface Format {
  readonly name: string;
  /** Is it this format? Looks at the first bytes only. */
  matches(bytes: Uint8Array): boolean;
  /**
   * Whatever the bytes are: a graph, or a Failure of stage 'import' with a place. Reads no part of the file more often than
   * bounded, and allocates by what was read. What nodes mean is checked afterwards, for all formats alike (check.ts).
   */
  read(bytes: Uint8Array, name: string): Result<ReadModel>;
}
