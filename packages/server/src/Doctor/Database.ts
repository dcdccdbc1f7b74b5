/**
 * Everything that the database can tell, judged. A part that cannot be asked is a finding too, so there is always an answer.
 */
import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Finding from "@muster/domain/Doctor/Finding"
import * as Leases from "@muster/domain/Doctor/Leases"
import * as ReadModels from "@muster/domain/Doctor/ReadModels"
import * as Schema from "@muster/domain/Doctor/Schema"
import * as Server from "@muster/domain/Doctor/Server"
import { EventStore } from "../EventStore.ts"
import * as PgEventStore from "../PgEventStore.ts"
import * as Comparison from "./Comparison.ts"
import * as LeaseFacts from "./LeaseFacts.ts"
import * as SchemaFacts from "./SchemaFacts.ts"
import * as ServerFacts from "./ServerFacts.ts"
import * as Session from "./Session.ts"

export interface Options {
  /** Compare all of the read models, not a sample. */
  readonly full: boolean
  /** Connections that a coordinator's pool may have. */
  readonly connections: number
}

/** Longest that a part may take that is not a comparison. */
const patience = "30 seconds"

const say = Finding.about("database")

const notAsked = (part: string, reason: string) =>
  say.error(
    "database.asked",
    `${part} could not be looked at: ${reason}`,
    "see the server's log; if it says nothing, try again"
  )

/** What a person needs to know of a query that failed: what the server said. */
const reasonOf = (error: unknown): string => {
  let found = error
  for (const name of ["reason", "cause"] as const) {
    if (typeof found === "object" && found !== null && name in found) found = Reflect.get(found, name)
  }
  return found instanceof Error ? found.message : String(found)
}

const part = <E, R>(name: string, look: Effect.Effect<ReadonlyArray<Finding.Finding>, E, R>) =>
  look.pipe(Effect.catch((error) => Effect.succeed([notAsked(name, reasonOf(error))])))

const quick = <E, R>(name: string, look: Effect.Effect<ReadonlyArray<Finding.Finding>, E, R>) =>
  Effect.timeoutOrElse(part(name, look), {
    duration: patience,
    orElse: () => Effect.succeed([notAsked(name, `no answer within ${patience}`)])
  })

/** Looks at all of it in sessions of its own. */
export const examine = Effect.fn("Doctor.Database.examine")(function* (client: PgClient.PgClient, options: Options) {
  const looks = Effect.gen(function* () {
    const sql = yield* SqlClient
    const store = yield* PgEventStore.make()
    const server = yield* quick("the server", Effect.map(ServerFacts.gather(options.connections), Server.judge))
    const transactions = yield* quick(
      "transactions",
      Effect.map(ServerFacts.gatherTransactions, Server.judgeTransactions)
    )
    const structure = yield* Effect.option(SchemaFacts.gather)
    if (structure._tag === "None") {
      return [...server, ...transactions, notAsked("the schema", "it cannot be read with the rights of this role")]
    }
    const { applied, supported } = structure.value
    const schema = Schema.judge(structure.value)
    // Other tables than the ones that this program knows would be misread.
    if (applied !== supported) return [...server, ...transactions, ...schema]
    const subscriptions = yield* quick(
      "histories",
      Effect.map(SchemaFacts.gatherSubscriptions, Schema.judgeSubscriptions)
    )
    const leases = yield* quick(
      "leases",
      Effect.map(LeaseFacts.gather.pipe(Effect.provideService(EventStore, store)), Leases.judge)
    )
    const readModels = yield* part(
      "the read models",
      Effect.map(Comparison.gather(client, options.full).pipe(Effect.provideService(SqlClient, sql)), ReadModels.judge)
    )
    return [...server, ...schema, ...transactions, ...subscriptions, ...leases, ...readModels]
  })
  return yield* part("it", looks.pipe(Effect.provide(Session.likeOurs(client), { local: true })))
})
