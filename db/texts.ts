/**
 * Records as JSON, kept for pages that are asked for again and again, as long as they may stay. Must stay true: a text is what its row
 * says now. Only a doubt changes one: whoever writes doubts through this connection says so, what other processes write is seen.
 */
import type { Database, Statement } from 'better-sqlite3';
import { type Row, textOf } from './trial-rows.ts';

export interface Room {
  /** Kept at most, in characters. */
  readonly characters: number;
  /** Longer pages are not kept: whoever reads the whole log reads each record once. */
  readonly page: number;
}
const usualRoom: Room = { characters: 4 * 2 ** 20, page: 100 };

export class Texts {
  private readonly rowsAt: (seqs: readonly number[]) => readonly Row[];
  private readonly room: Room;
  private readonly kept = new Map<number, string>();
  private characters = 0;
  private readonly version: Statement<[], number>;
  private keptAt: number | undefined;

  /** `rowsAt`: the rows with these numbers, in their order. */
  constructor(db: Database, rowsAt: (seqs: readonly number[]) => readonly Row[], room = usualRoom) {
    this.rowsAt = rowsAt;
    this.room = room;
    // Another number whenever another connection has written.
    this.version = db.prepare<[], number>('PRAGMA data_version').pluck();
  }

  /** The records with these numbers, in their order. */
  at(seqs: readonly number[]): readonly string[] {
    if (seqs.length > this.room.page) return this.rowsAt(seqs).map(textOf);
    const version = this.version.get();
    if (version !== this.keptAt) this.forget();
    this.keptAt = version;
    const missing = seqs.filter((seq) => !this.kept.has(seq));
    const read = new Map(missing.length === 0 ? [] : this.rowsAt(missing).map((row) => [row.seq, textOf(row)]));
    const texts = seqs.map((seq) => read.get(seq) ?? this.kept.get(seq)!);
    seqs.forEach((seq, i) => void this.keep(seq, texts[i]!));
    return texts;
  }

  /** A doubt is written. */
  forget(): void {
    this.kept.clear();
    this.characters = 0;
  }

  /** As the one that was asked for last; those that were not asked for longest go. */
  private keep(seq: number, text: string): void {
    if (!this.kept.delete(seq)) this.characters += text.length;
    this.kept.set(seq, text);
    for (const [oldest, { length }] of this.kept) {
      if (this.characters <= this.room.characters) return;
      this.kept.delete(oldest);
      this.characters -= length;
    }
  }
}
