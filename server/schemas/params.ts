/** What stands in addresses. */
import { Type } from 'typebox';

/** Of a job, a trial, a task, a delivery. */
export const IdParams = Type.Object({ id: Type.String({ maxLength: 100 }) });
