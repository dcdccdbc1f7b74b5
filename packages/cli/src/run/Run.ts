/**
 * A suite that lives as long as the command: it is filled while it runs, followed to its end, and cancelled by Ctrl-C.
 */
import { Clock, Effect, Fiber, Stream } from "effect"
import type { SuiteInput, TaskInput } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { TaskDetail } from "@muster/domain/Suite/View"
import * as ExitCode from "../ExitCode.ts"
import type * as Failure from "../Failure.ts"
import * as Progress from "../Progress.ts"
import * as Screen from "../Screen.ts"
import type { Client } from "../Session.ts"
import * as Show from "../Show.ts"
import * as Signals from "../Signals.ts"
import { command } from "../views/Tasks.ts"

/** Milliseconds between two looks at the suite. */
const watchInterval = 100
/** Failed tasks that are shown with the end of their output. */
const shownFailures = 5
/** Lines of a failed task's output that are shown. */
const shownLines = 5

export interface Options {
  readonly spec: SuiteInput
  readonly tasks: Stream.Stream<TaskInput, Failure.CommandFailed>
  /** Print what tasks write to standard output, as they end. */
  readonly print: boolean
}

/** The first Ctrl-C lets running tasks finish, the second ends them, the third gives up waiting. */
const cancelOnSignal = Effect.fnUntraced(function* (client: Client, id: SuiteId, progress: Progress.Progress) {
  let times = 0
  const context = yield* Effect.context()
  const run = Effect.runForkWith(context)
  const cancel = (mode: "graceful" | "force", text: string) =>
    run(
      Effect.gen(function* () {
        yield* progress.above(text)
        yield* progress.say("cancelling")
        yield* Effect.ignore(client.cancelSuite(id, { mode, reason: "interrupted" }))
      })
    )
  yield* Signals.listen(() => {
    times++
    if (times === 1) cancel("graceful", "cancelling: running tasks finish, Ctrl-C again ends them now")
    else if (times === 2) cancel("force", "ending running tasks; Ctrl-C again leaves without waiting")
    else process.exit(ExitCode.interrupted)
  })
  return { wasInterrupted: () => times > 0 }
})

const lastLines = (text: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-shownLines)
    .map(Show.line)

/** How the last attempt ended, in parentheses, where "failed" does not say it all. */
const how = (attempt: TaskDetail["attempts"][number] | undefined): string => {
  if (attempt === undefined) return ""
  if (attempt.outcome !== "failed" || attempt.signal !== null) return ` (${Show.ending(attempt)})`
  return attempt.exitCode === null ? "" : ` (exit code ${attempt.exitCode})`
}

const explain = (task: TaskDetail): ReadonlyArray<string> => [
  `task ${task.id} failed${how(task.attempts.at(-1))}: ${Show.line(command(task.spec))}`,
  ...[task.message ?? "", ...lastLines(task.stderr === "" ? task.stdout : task.stderr)]
    .filter((line) => line !== "")
    .map((line) => `    ${line}`)
]

/** Says which tasks failed and how. */
const showFailures = Effect.fnUntraced(function* (client: Client, id: SuiteId, failed: number) {
  const found = yield* Stream.runCollect(client.listTasks({ suiteId: id, states: ["failed"], limit: shownFailures }))
  for (const task of found) {
    for (const line of explain(yield* client.getTask(task.id))) yield* Screen.note(line)
  }
  if (failed > found.length) {
    yield* Screen.note(
      `${Show.plural(failed - found.length, "more failed task")}: muster task list --suite ${id} --filter state=failed`
    )
  }
})

/** Submits all tasks, then closes the suite. What stops a submission halfway also cancels what was submitted. */
const submit = (client: Client, id: SuiteId, { tasks }: Options) =>
  client.submit(id, tasks).pipe(
    Effect.andThen(client.closeSuite(id)),
    // Somebody cancelled the suite, or too many tasks failed: no error of the submission.
    Effect.catchTag("SuiteIsCancelled", () => Effect.void),
    Effect.tapError(() => Effect.ignore(client.cancelSuite(id, { mode: "force", reason: "the submission failed" }))),
    Effect.asVoid
  )

/** Follows the suite until all is submitted and nothing is pending. */
const follow = (client: Client, id: SuiteId, progress: Progress.Progress, submitting: Fiber.Fiber<void, unknown>) =>
  Effect.gen(function* () {
    while (true) {
      const isSubmitted = submitting.pollUnsafe() !== undefined
      yield* progress.grow(!isSubmitted)
      yield* Stream.runForEach(client.watch(id, { interval: watchInterval }), (suite) =>
        Effect.andThen(progress.grow(submitting.pollUnsafe() === undefined), progress.update(suite))
      )
      if (isSubmitted) return
      yield* Effect.raceFirst(Effect.sleep(watchInterval), Effect.exit(Fiber.join(submitting)))
    }
  })

const printOutput = (client: Client, id: SuiteId, submitting: Fiber.Fiber<void, unknown>) =>
  Effect.flatMap(Screen.Screen, ({ out }) =>
    Effect.gen(function* () {
      const printed = new Set<string>()
      while (true) {
        const isSubmitted = submitting.pollUnsafe() !== undefined
        yield* Stream.runForEach(client.results(id), (result) => {
          const key = `${result.index}.${result.attempt}`
          if (printed.has(key)) return Effect.void
          printed.add(key)
          return out.write(result.stdout)
        })
        if (isSubmitted) return
        yield* Effect.raceFirst(Effect.sleep(watchInterval), Effect.exit(Fiber.join(submitting)))
      }
    })
  )

/** Runs it and answers with the suite at its end; fails when work failed or somebody interrupted it. */
export const run = Effect.fn("Run.run")(function* (client: Client, options: Options) {
  const started = yield* Clock.currentTimeMillis
  const { id } = yield* client.createSuite(options.spec)
  const { wasInterrupted } = yield* Effect.scoped(
    Effect.gen(function* () {
      const progress = yield* Progress.make
      const interruption = yield* cancelOnSignal(client, id, progress)
      const submitting = yield* Effect.forkScoped(submit(client, id, options))
      yield* Effect.all(
        [
          Fiber.join(submitting),
          follow(client, id, progress, submitting),
          options.print ? printOutput(client, id, submitting) : Effect.void
        ],
        { concurrency: "unbounded", discard: true }
      )
      return interruption
    })
  )
  const suite = yield* client.getSuite(id)
  const elapsed = (yield* Clock.currentTimeMillis) - started
  if (suite.tasks.failed > 0) yield* showFailures(client, id, suite.tasks.failed)
  yield* Screen.note(`suite ${id}: ${Progress.summary(suite, elapsed)}`)
  return { suite, wasInterrupted: wasInterrupted() }
})

/** Only submits it. */
export const detach = Effect.fn("Run.detach")(function* (client: Client, options: Options) {
  const { id } = yield* client.createSuite(options.spec)
  yield* submit(client, id, options)
  yield* Screen.note(`suite ${id} goes on by itself: muster suite watch ${id}`)
  return yield* client.getSuite(id)
})
