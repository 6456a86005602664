/** What makes the processor take a HardFault. Thrown in the midst of an instruction, as rp2040js knows no other way out of one. */
export class Fault {
  /** Where the processor says it was: at the instruction, or already at the place that it had branched to. */
  readonly at: 'instruction' | 'target';
  constructor(at: 'instruction' | 'target') {
    this.at = at;
  }
}
/** A bad address, a lack of rights, an undefined instruction: the instruction itself is to blame. */
export const atInstruction = new Fault('instruction');
/** Its Thumb bit lost: the branch went well, what is there cannot be executed. */
export const atTarget = new Fault('target');
