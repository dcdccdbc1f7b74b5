import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import * as Failure from "../../Failure.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"

const params = { name: Argument.String("name").pipe(Argument.withDescription("Name of the token")) }

const handler = Effect.fn("token.revoke")(function* ({ name }: Command.Command.Config.Infer<typeof params>) {
  const existed = yield* Session.use((client) => client.revokeToken(name))
  if (!existed) {
    return yield* Failure.notFound(
      `there is no token ${JSON.stringify(name)}`,
      "`muster token list` shows the tokens that are there"
    )
  }
  yield* Screen.note(`token ${name} is revoked`)
})

export const revoke = Command.make("revoke", params, handler).pipe(
  Command.withDescription("Let nobody in with this token any more")
)
