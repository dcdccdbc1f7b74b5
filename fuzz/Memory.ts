/** How much a process has. */
import { readFileSync } from "node:fs"

/** Of this process: what is alive, where Node was started with `--expose-gc`. */
export const here = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** Of another one: what is resident. */
export const of = (pid: number): number => {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(kibibytes ?? 0) * 1024
}
