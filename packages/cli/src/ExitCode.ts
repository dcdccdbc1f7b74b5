/** How `muster` ends. Scripts rely on these numbers. */
export const ok = 0
export const error = 1
/** The command line or its input is wrong. */
export const usage = 2
export const notAuthorised = 3
export const notFound = 4
/** Muster did its part; the work itself failed. */
export const workFailed = 5
/** What `timeout` of coreutils ends with. */
export const timedOut = 124
/** Ended by Ctrl-C, as shells count it. */
export const interrupted = 130
/** The reader of the output went away (SIGPIPE), as shells count it. */
export const brokenPipe = 141
