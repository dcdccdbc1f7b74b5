/** Reads what Postgres and the dynamic loader say when they give up. Pure: the text is in English because of LC_ALL=C. */
import type { Reason } from "./Errors.ts"

export interface Diagnosis {
  readonly reason: Reason
  readonly detail: string
}

/** In this order: the first sign found explains the failure, and the more specific come first. */
const signs: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/error while loading shared libraries: .*|Library not loaded: .*/, "MissingLibrary"],
  [/pre-existing shared memory block .* is still in use/, "DirectoryInUse"],
  [/another (?:postmaster|postgres) \(PID \d+\) running in data directory/, "DirectoryInUse"],
  [/lock file "postmaster\.pid" already exists/, "DirectoryInUse"],
  [/could not bind .*: Address already in use|could not create any TCP\/IP sockets/, "PortInUse"],
  [/.*No space left on device/, "DiskFull"],
  [/database files are incompatible with server/, "WrongVersion"],
  [/.*Permission denied/, "Permission"]
]

const lastLines = (text: string, count: number) => text.trim().split("\n").slice(-count).join("\n")

export const diagnose = (output: string, exit: string): Diagnosis => {
  for (const [pattern, reason] of signs) {
    const found = pattern.exec(output)
    if (found !== null) return { reason, detail: `${found[0].trim()}.` }
  }
  const said = lastLines(output, 5)
  return {
    reason: "Failed",
    detail: said === "" ? `it ended with ${exit}.` : `it ended with ${exit} and said:\n${said}\n`
  }
}
