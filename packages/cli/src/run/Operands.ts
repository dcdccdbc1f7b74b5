/** What stands after the flags of `muster run`: a command, then the sources of inputs, each after `:::`. */
import { Effect } from "effect"
import * as Failure from "../Failure.ts"

const separator = ":::"

export interface Operands {
  readonly command: ReadonlyArray<string>
  /** Inputs of each source; none when no `:::` is there. */
  readonly sources: ReadonlyArray<ReadonlyArray<string>>
}

export const split = (operands: ReadonlyArray<string>): Operands => {
  const lists: Array<Array<string>> = [[]]
  for (const operand of operands) {
    if (operand === separator) lists.push([])
    else lists.at(-1)?.push(operand)
  }
  const [command = [], ...sources] = lists
  return { command, sources }
}

const shape = "`muster run [flags] -- PROGRAM ARG {} ::: INPUT…`"

/** Refuses what makes no sense, before anything is made. */
export const check = (
  { command, sources }: Operands,
  {
    eachLine,
    handler,
    highestSource,
    isOpen
  }: {
    readonly eachLine: boolean
    readonly handler: boolean
    readonly isOpen: boolean
    readonly highestSource: number
  }
): Effect.Effect<void, Failure.CommandFailed> => {
  const count = eachLine ? 1 : sources.length
  if (handler && command.length > 0) {
    return Effect.fail(Failure.usage("--handler runs a handler, so there can be no program", "inputs come after `:::`"))
  }
  if (!handler && command.length === 0) return Effect.fail(Failure.usage("there is no program to run", shape))
  if (!handler && command[0] === "") return Effect.fail(Failure.usage('the program is ""; allowed: a name or a path'))
  if (eachLine && sources.length > 0) {
    return Effect.fail(Failure.usage("inputs come either after `:::` or with --each-line, not both"))
  }
  if (handler && sources.length > 1) {
    return Effect.fail(Failure.usage("a handler takes one input, so there can be only one `:::`"))
  }
  if (isOpen && count === 0) {
    return Effect.fail(Failure.usage("there are replacement strings but no inputs", `${shape}, or --each-line`))
  }
  if (highestSource > count) {
    return Effect.fail(Failure.usage(`{${highestSource}} is used, but there are only ${count} sources of inputs`))
  }
  return Effect.void
}
