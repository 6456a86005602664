/** Where a link may break in the middle of work: a LinkError as a value. */
import { failed, type Result } from '../../compiler/result.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';

/** What `work` comes to; LINK at this stage where its link breaks. Other errors are thrown on. */
export async function linkErrors<T>(stage: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return failed(stage, 'LINK', error.message);
  }
}
