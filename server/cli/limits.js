/**
 * Options of Node for what runs for weeks. Left alone, V8 lets the young generation grow to 100 MiB while a job runs, and garbage in the
 * old one to three times of what is in use. Within these the young one has 8 MiB, the old one is tidied when it has grown by 30 % (in
 * threads, too), and an end at 1 GiB is far above what is needed. V8 takes them at the start of a process only. Plain JavaScript,
 * because the launcher reads it on whatever Node the system has.
 */
export const limits = ['--max-semi-space-size=4', '--max-old-space-size=1024', '--heap-growing-percent=30'];
