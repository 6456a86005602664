/**
 * Options of Node for what runs for weeks, MiB. Left alone, V8 lets the young generation grow to 100 MiB while a job runs, and
 * garbage in the old one to three times of what is in use; within limits that are far above what is needed it keeps both small. V8
 * takes them at the start of a process only. Plain JavaScript, because the launcher reads it on whatever Node the system has.
 */
export const limits = ['--max-semi-space-size=8', '--max-old-space-size=1024'];
