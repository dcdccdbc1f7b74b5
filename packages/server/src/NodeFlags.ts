/**
 * How Node is started for a coordinator.
 *
 * A flood of tasks makes garbage that dies young. With Node's default for young objects the heap grows by 100 MB before
 * anything is collected; with 8 MB it stays small and is a little faster (100,000 tasks submitted: 220 MB instead of
 * 315 MB resident, 65,000 tasks/s instead of 53,000).
 */
export const nodeFlags: ReadonlyArray<string> = ["--max-semi-space-size=8"]
