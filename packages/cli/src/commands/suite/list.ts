import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import { SuiteState } from "@muster/domain/Suite/Spec"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Suites from "../../views/Suites.ts"
import * as Watching from "../../Watching.ts"

const params = {
  filter: Params.filter(["state", "name", "label", "tag"]),
  limit: Params.limit,
  watch: Params.watch
}

const handler = Effect.fn("suite.list")(function* ({
  filter,
  limit,
  watch
}: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const states = yield* Params.choicesOf(filter, "state", SuiteState.literals)
  const [name, another] = Params.valuesOf(filter, "name")
  if (another !== undefined) return yield* Failure.usage("a suite has one name: --filter takes name=… once")
  const labels = Params.valuesOf(filter, "label")
  const tags = Params.valuesOf(filter, "tag")
  const query = {
    ...(states.length === 0 ? {} : { states }),
    ...(name === undefined ? {} : { name }),
    ...(labels.length === 0 ? {} : { labels }),
    ...(tags.length === 0 ? {} : { tags })
  }
  yield* Session.use((client) =>
    Watching.show(watch, Output.list(format, Suites.view, client.listSuites(query), Option.getOrUndefined(limit)))
  )
})

export const list = Command.make("list", params, handler).pipe(
  Command.withDescription("List suites, newest first"),
  Command.withAlias("ls"),
  Command.withExamples([
    { command: "muster suite list --filter state=open,state=closed", description: "Those that are not over" },
    { command: "muster suite list --filter name=nightly -o ids", description: "Ids for other commands" }
  ])
)
