/** Commands that change a suite and then show it. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteDetail } from "@muster/domain/Suite/View"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Table from "../../Table.ts"
import * as Suites from "../../views/Suites.ts"
import * as Waiting from "../../Waiting.ts"

/** Shows a suite as `suite get` does. */
export const show = (suite: SuiteDetail) =>
  Effect.flatMap(Session.format, (format) =>
    Output.one(format, Suites.view, suite, (item, paint) => Table.renderFields(Suites.fields(item, paint), paint))
  )

/** Shows the suite as it is now, or with `wait` as it is when nothing is pending; then it decides the exit code. */
export const finish = Effect.fnUntraced(function* (
  client: Session.Client,
  id: SuiteId,
  { wait, waitTimeout }: { readonly wait: boolean; readonly waitTimeout: Waiting.Timeout }
) {
  if (!wait) return yield* show(yield* client.getSuite(id))
  const suite = yield* Waiting.untilSettled(client, id, waitTimeout)
  yield* show(suite)
  yield* Waiting.endBy(suite)
})

const params = { suite: Params.suite, wait: Params.wait, waitTimeout: Params.waitTimeout }

export const make = <Name extends string, E>(
  name: Name,
  description: string,
  {
    act,
    waits
  }: {
    readonly act: (client: Session.Client, id: SuiteId) => Effect.Effect<unknown, E>
    /** Whether it makes sense to wait for the end afterwards. */
    readonly waits: boolean
  }
) => {
  const handler = Effect.fn(`suite.${name}`)(function* (values: Command.Command.Config.Infer<typeof params>) {
    const id = yield* values.suite
    yield* Session.use((client) => Effect.andThen(act(client, id), finish(client, id, values)))
  })
  return waits
    ? Command.make(name, params, handler).pipe(Command.withDescription(description))
    : Command.make(name, { suite: params.suite }, ({ suite }) =>
        handler({ suite, wait: false, waitTimeout: Waiting.noTimeout })
      ).pipe(Command.withDescription(description))
}
