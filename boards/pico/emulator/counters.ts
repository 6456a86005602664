/** What calls took, by cause, in the shape of the mailbox that the twins under QEMU have (common/timing/mailbox.h). */
const magic = 0x4d544d42;

export class Counters {
  private cycles = 0;
  private instructions = 0;
  private issue = 0;
  private branch = 0;
  private fetch = 0;
  private data = 0;
  private fetchMisses = 0;
  private dataMisses = 0;

  /** One instruction: cycles of its own, of refilling the pipeline, of waiting for itself and for data. */
  add(issue: number, branch: number, fetch: number, data: number): void {
    this.instructions++;
    this.cycles += issue + branch + fetch + data;
    this.issue += issue;
    this.branch += branch;
    this.fetch += fetch;
    this.data += data;
    if (fetch > 0) this.fetchMisses++;
    if (data > 0) this.dataMisses++;
  }
  /** struct mt_mailbox. What is unknown or unmapped faults here, and a load's second cycle is its own. */
  words(): Uint32Array {
    const { cycles, instructions, issue, branch, fetch, data, fetchMisses, dataMisses } = this;
    const unknown = 0;
    const unmapped = 0;
    const pipeline = 0;
    const counters = [
      cycles,
      instructions,
      issue,
      pipeline,
      branch,
      fetch,
      data,
      unknown,
      unmapped,
      fetchMisses,
      dataMisses,
    ];
    return Uint32Array.of(magic, 0, ...counters.flatMap((n) => [n % 2 ** 32, Math.floor(n / 2 ** 32)]));
  }
}
