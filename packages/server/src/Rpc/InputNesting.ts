/**
 * How deeply a handler's input may be nested. Neither this platform's JSON nor Postgres' can be trusted with more than
 * some thousand levels, and one task whose input cannot be stored would keep all that is committed with it from being
 * stored too.
 */
import { Effect } from "effect"
import { InvalidInput } from "@muster/domain/Errors"
import { isCommand } from "@muster/domain/Task/Spec"
import type { TaskSpec } from "@muster/domain/Task/Spec"

export const maxDepth = 256

/** Whether a JSON value has more levels than that. Looks no deeper, so no value is too deep for this. */
const isTooDeep = (value: unknown, levels: number): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some((held) => isTooDeep(held, levels - 1))
}

/** Refuses tasks whose input is nested too deeply. `nameOf` says how the input calls the task at a place. */
export const check = (
  tasks: ReadonlyArray<TaskSpec>,
  nameOf: (place: number) => string
): Effect.Effect<void, InvalidInput> =>
  Effect.suspend(() => {
    const place = tasks.findIndex((task) => !isCommand(task) && isTooDeep(task.input, maxDepth))
    return place < 0
      ? Effect.void
      : Effect.fail(
          new InvalidInput({
            field: `${nameOf(place)}.input`,
            value: "nested too deeply",
            expected: `JSON with at most ${maxDepth} levels`
          })
        )
  })
