import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { SuiteId } from "@muster/domain/Suite/Id"
import { TaskState } from "@muster/domain/Task/Attempt"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Tasks from "../../views/Tasks.ts"
import * as Watching from "../../Watching.ts"

const params = {
  suite: Flag.String("suite").pipe(Flag.withMetavar("ID"), Flag.withDescription("The suite that they belong to")),
  filter: Params.filter(["state", "label"]),
  limit: Params.limit,
  watch: Params.watch
}

const isSuiteId = Schema.is(SuiteId)

const handler = Effect.fn("task.list")(function* ({
  filter,
  limit,
  suite,
  watch
}: Command.Command.Config.Infer<typeof params>) {
  if (!isSuiteId(suite)) return yield* Params.noSuite(suite)
  const format = yield* Session.format
  const states = yield* Params.choicesOf(filter, "state", TaskState.literals)
  const labels = Params.valuesOf(filter, "label")
  const query = {
    suiteId: suite,
    ...(states.length === 0 ? {} : { states }),
    ...(labels.length === 0 ? {} : { labels })
  }
  yield* Session.use((client) =>
    Watching.show(watch, Output.list(format, Tasks.view, client.listTasks(query), Option.getOrUndefined(limit)))
  )
})

export const list = Command.make("list", params, handler).pipe(
  Command.withDescription("List the tasks of a suite in the order in which they were submitted"),
  Command.withAlias("ls"),
  Command.withExamples([
    { command: "muster task list --suite 06a1b2c3d4e5f6g7 --filter state=failed", description: "What failed" }
  ])
)
