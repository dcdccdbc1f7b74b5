import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as SuiteFlags from "../../SuiteFlags.ts"
import * as Suites from "../../views/Suites.ts"
import * as Table from "../../Table.ts"

const params = {
  name: Params.givenName("Name for people; need not be unique").pipe(Flag.optional),
  description: Flag.String("description").pipe(Flag.withDescription("Longer text for people"), Flag.optional),
  ...SuiteFlags.params
}

const handler = Effect.fn("suite.create")(function* ({
  description,
  name,
  ...flags
}: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const spec = {
    ...SuiteFlags.toSpec(flags),
    ...(Option.isSome(name) ? { name: name.value } : {}),
    ...(Option.isSome(description) ? { description: description.value } : {})
  }
  const suite = yield* Session.use((client) =>
    Effect.flatMap(client.createSuite(spec), ({ id }) => client.getSuite(id))
  )
  yield* Output.one(format, Suites.view, suite, (item, paint) => Table.renderFields(Suites.fields(item, paint), paint))
})

export const create = Command.make("create", params, handler).pipe(
  Command.withDescription("Make a suite that tasks can be submitted to"),
  Command.withExamples([
    { command: "muster suite create --name nightly --tags linux --retries 2", description: "For machines tagged linux" }
  ])
)
