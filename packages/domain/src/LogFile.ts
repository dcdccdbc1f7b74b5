/**
 * Where a manager keeps the output of an attempt. Workers write these files, their manager reads them.
 */
import type { OutputStream } from "./Manager/Directive.ts"
import type { SuiteId } from "./Suite/Id.ts"

/** Tasks per directory, so that a suite of a million tasks stays usable with ordinary tools. */
const tasksPerDirectory = 1_000

/** Path relative to the manager's log directory: `<suite>/<index / 1000>/<index>.<attempt>.stdout`. */
export const path = (suiteId: SuiteId, index: number, attempt: number, stream: OutputStream): string =>
  `${directory(suiteId, index)}/${index}.${attempt}.${stream}`

/** The directory that holds the logs of a task. */
export const directory = (suiteId: SuiteId, index: number): string =>
  `${suiteId}/${Math.floor(index / tasksPerDirectory)}`
