/** What came of a trial as the columns of its record. */
import type { NewRecord } from '../../db/types.ts';
import type { MeasureResult } from '../../tuner/types.ts';

type ResultColumns = Pick<
  NewRecord,
  'status' | 'stage' | 'code' | 'detail' | 'cycles' | 'repeats' | 'sizes' | 'binary' | 'device' | 'times' | 'bytes'
>;

/** No number stands for a failure. */
export function columnsOf(result: MeasureResult): ResultColumns {
  const { status, times, binary = null, device = null } = result;
  const shared = { binary, device, times };
  if (status === 'failed') {
    const { stage, code, detail } = result;
    return { ...shared, status, stage, code, detail, cycles: null, repeats: null, sizes: null, bytes: null };
  }
  const { cycles, repeats, sizes, bytes } = result;
  return { ...shared, status, stage: null, code: null, detail: null, cycles, repeats, sizes, bytes };
}
