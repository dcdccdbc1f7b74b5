/**
 * What a worker's exit code tells its manager. All but `stopped` mean that a new worker is wanted.
 */
/** It was told to stop and has finished what it had. */
export const stopped = 0
/** Its environment is wrong; the message says which variable. Another try will not help. */
export const badSettings = 64
/** The manager is gone. */
export const managerLost = 69
/** A part of the worker broke: its launcher or its guardian died, or there is a bug. */
export const broken = 70
/** A handler did not heed its interruption: whatever it does, only the end of the process stops it. */
export const handlerHangs = 75
/** The lease of its suite was over and something still ran: that ends with the process. */
export const leaseLost = 76
