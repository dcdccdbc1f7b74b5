/**
 * What a run did, as lines that people can read: printed, and kept beside what they are about.
 */
import { appendFileSync } from "node:fs"
import { join } from "node:path"

export interface Timeline {
  readonly say: (text: string) => void
  /** Something that must never be. */
  readonly violation: (text: string) => void
  readonly violations: () => ReadonlyArray<string>
}

/** What is found again with every look is told once, and a flood of them does not hide the first. */
const maxViolations = 200

export const make = (home: string): Timeline => {
  const began = performance.now()
  const violations = new Set<string>()
  const say = (text: string) => {
    const line = `${((performance.now() - began) / 1_000).toFixed(2).padStart(8)} s  ${text}`
    console.log(line)
    appendFileSync(join(home, "timeline"), `${line}\n`)
  }
  return {
    say,
    violation: (text) => {
      if (violations.has(text) || violations.size >= maxViolations) return
      violations.add(text)
      say(`VIOLATION  ${text}`)
    },
    violations: () => [...violations]
  }
}
