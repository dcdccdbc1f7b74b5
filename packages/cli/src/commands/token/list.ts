import { Effect, Stream } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import * as Tokens from "../../views/Tokens.ts"

const handler = Effect.fn("token.list")(function* () {
  const format = yield* Session.format
  yield* Session.use((client) =>
    Effect.flatMap(client.listTokens, (tokens) => Output.list(format, Tokens.view, Stream.fromIterable(tokens)))
  )
})

export const list = Command.make("list", {}, handler).pipe(
  Command.withDescription("List tokens, without their secrets"),
  Command.withAlias("ls")
)
