/** Waiting for a suite, with progress on a terminal, and how a command ends by what became of it. */
import { Effect, Option, Stream } from "effect"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteView } from "@muster/domain/Suite/View"
import * as ExitCode from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import * as Progress from "./Progress.ts"
import type { Client } from "./Session.ts"

/** Ends 5 when tasks of the suite failed or were cancelled. */
export const endBy = ({ tasks }: Pick<SuiteView, "tasks">): Effect.Effect<void, Failure.Ended> =>
  tasks.failed + tasks.cancelled > 0 ? Effect.fail(new Failure.Ended({ exitCode: ExitCode.workFailed })) : Effect.void

/** Longest wait in milliseconds, if there is one. */
export type Timeout = Option.Option<number>
export const noTimeout: Timeout = Option.none()

/** How often a progress bar moves, in milliseconds. */
const interval = 100

/** Follows a suite to its end and answers with its details. */
export const untilSettled = (client: Client, suiteId: SuiteId, timeout: Timeout) =>
  Effect.scoped(
    Effect.gen(function* () {
      const progress = yield* Progress.make
      const follow = Stream.runForEach(client.watch(suiteId, { interval }), progress.update)
      const ending = client.wait(suiteId, Option.isSome(timeout) ? { timeout: timeout.value, interval } : { interval })
      // The wait alone decides; following is for the eye.
      return yield* Effect.raceFirst(ending, Effect.andThen(follow, Effect.never))
    })
  )
