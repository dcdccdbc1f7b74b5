/** Longest wait that the system's timers can do (24.8 days): they would end a longer one at once. */
const maxWait = 2 ** 31 - 1

/** Calls `action` after `millis`, however long that is. Answers with what cancels it. */
export const after = (millis: number, action: () => void): (() => void) => {
  let timer: NodeJS.Timeout
  const wait = (left: number) => {
    timer = setTimeout(() => (left > maxWait ? wait(left - maxWait) : action()), Math.min(left, maxWait))
  }
  wait(millis)
  return () => clearTimeout(timer)
}
