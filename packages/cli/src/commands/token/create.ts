import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { Role } from "@muster/domain/Rpc/Authentication"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"

/** Said again here because the module that defines it brings the whole of RPC along. */
const roles = ["admin", "enrolment"] as const satisfies ReadonlyArray<Role>

const params = {
  name: Argument.String("name").pipe(Argument.withDescription("Name to know it by")),
  role: Flag.Literals("role", roles).pipe(
    Flag.withDescription("admin may do everything, enrolment only connects managers (default enrolment)"),
    Flag.withDefault("enrolment")
  )
}

const handler = Effect.fn("token.create")(function* ({ name, role }: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const token = yield* Session.use((client) => client.createToken(name, role))
  yield* Output.one(format, { id: () => token.token }, token, (item, paint) => [
    item.token,
    paint("dim", `role ${item.role}; only its hash is stored, so this is the only time that it is shown`)
  ])
})

export const create = Command.make("create", params, handler).pipe(
  Command.withDescription("Make a token; its secret is shown once")
)
