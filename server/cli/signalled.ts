/** The end of a command that works until it is told to stop. */

/** The first SIGINT, SIGTERM or SIGHUP; the second one is not waited out. */
export const signalled = (): Promise<undefined> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        resolve(undefined);
        process.once(signal, () => process.exit(130));
      });
  });
