/**
 * Options of Node for what runs for weeks, MiB. Left alone, V8 lets the young generation grow to 100 MiB while a job runs, and
 * garbage in the old one to three times of what is in use; within limits that are far above what is needed it keeps both small. They
 * are V8's and it takes them at the start of a process only.
 */
export const limits = ['--max-semi-space-size=8', '--max-old-space-size=1024'];
