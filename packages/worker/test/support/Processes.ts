/**
 * Looks at the processes of this machine, independently of what the worker thinks of them.
 */
import { readFileSync, readdirSync } from "node:fs"

const read = (pid: string | number, name: string): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1")
  } catch {
    return undefined
  }
}

/** Whether a process lives; one that has ended and is not waited for does not. */
export const isAlive = (pid: number): boolean => {
  const stat = read(pid, "stat")
  return stat !== undefined && !/^\d+ \(.*\) [ZX]/s.test(stat)
}

/** Living processes whose arguments contain a text. */
export const withArgument = (text: string): Array<number> =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .filter(
      (pid) =>
        read(pid, "cmdline")
          ?.split("\0")
          .some((argument) => argument.includes(text)) === true
    )
    .filter(isAlive)
