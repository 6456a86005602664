/** Columns that hold JSON: their text read and written, null as NULL. */

export const parsed = <T>(text: string): T => JSON.parse(text) as T;
export const parsedOrNull = <T>(text: string | null): T | null => (text === null ? null : parsed<T>(text));
export const textOrNull = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
