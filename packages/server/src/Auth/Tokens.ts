/**
 * Secrets that let somebody in: `mst_<role>_<random>`. The database holds their SHA-256 only; a random secret of 32 bytes
 * needs no slow hash. They are looked up by hash, so that the time it takes says nothing about a secret.
 *
 * What was found is remembered for less than a second: a busy connection costs one query a second, and a token that is
 * revoked is refused within a second by every coordinator. While the database cannot be asked, a token that was good
 * lately stays good, so that managers keep their sessions; nobody can revoke anything meanwhile either.
 */
import { createHash, randomBytes } from "node:crypto"
import { Cache, Clock, Context, Duration, Effect, Exit, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { InvalidInput, Unauthorized, Unavailable } from "@muster/domain/Errors"
import type { CurrentActor, Role } from "@muster/domain/Rpc/Authentication"
import { TokenNameTaken } from "@muster/domain/Token"
import type { NewToken, TokenView } from "@muster/domain/Token"
import * as Query from "../ReadModels/Query.ts"
import * as SqlFailure from "../SqlFailure.ts"

export type Actor = CurrentActor["Service"]

export class Tokens extends Context.Service<
  Tokens,
  {
    /** Who shows this secret. */
    readonly verify: (secret: Redacted.Redacted) => Effect.Effect<Actor, Unauthorized | Unavailable>
    /** A new token; its secret can be read here and never again. */
    readonly create: (options: {
      readonly name: string
      readonly role: Role
    }) => Effect.Effect<NewToken, TokenNameTaken | Unavailable>
    /** By name. */
    readonly list: Effect.Effect<ReadonlyArray<TokenView>, Unavailable>
    /** Whether there was one. */
    readonly revoke: (name: string) => Effect.Effect<boolean, Unavailable>
    /** Makes the token of this name be this secret, as the operator's settings say: done at every start. */
    readonly seed: (options: {
      readonly name: string
      readonly role: Role
      readonly secret: Redacted.Redacted
    }) => Effect.Effect<void, InvalidInput | Unavailable>
  }
>()("@muster/server/Auth/Tokens") {}

/** Name of the token that is made at first start. Events say `admin` for it, and `token:<name>` for any other. */
export const firstAdmin = "admin"

const secretBytes = 32

/** Shortest secret that an operator may choose: shorter ones can be guessed. */
const shortestSecret = 16
const secretPattern = new RegExp(`^[\\x21-\\x7e]{${shortestSecret},}$`)

/** How long an answer of the database is good. Revoking takes effect within one second. */
const freshFor = Duration.millis(900)

/** How long a token that was good stays good while the database cannot be asked. */
const goodWithoutDatabase = Duration.seconds(60)

/** How long the database may take before it counts as away. */
const patience = Duration.seconds(2)

/** Tokens that are remembered at once. Those that are unknown are not, so that guessing cannot crowd out the others. */
const remembered = 10_000

/** A new secret. The prefix says what it is to people and to scanners of leaked secrets. */
export const makeSecret = (role: Role): Redacted.Redacted =>
  Redacted.make(`mst_${role}_${randomBytes(secretBytes).toString("base64url")}`)

const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex")

const unknownToken = new Unauthorized({ reason: "the token is not known; it may have been revoked" })

interface Known {
  readonly actor: Actor
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined
}

interface TokenRow {
  readonly name: string
  readonly role: Role
  readonly created_at: Date
  readonly expires_at: Date | null
}

const toView = (row: TokenRow): TokenView => ({
  name: row.name,
  role: row.role,
  createdAt: Query.instant(row.created_at),
  expiresAt: Query.instantOrNull(row.expires_at)
})

const columns = "name, role, created_at, expires_at"

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  /** Good tokens by hash, with when they were last seen to be good. Bounded by the number of tokens that exist. */
  const lastGood = new Map<string, { readonly known: Known; readonly at: number }>()

  const ask = (hash: string) =>
    Query.run<TokenRow>(sql, `select ${columns} from tokens where hash = $1`, [Buffer.from(hash, "hex")]).pipe(
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.fail(new Unavailable({ reason: "the database does not answer; try again" }))
      })
    )

  const remember = (hash: string, row: TokenRow, now: number): Known => {
    const known: Known = {
      actor: { role: row.role, name: row.name === firstAdmin ? "admin" : `token:${row.name}` },
      expiresAt: row.expires_at?.getTime()
    }
    lastGood.set(hash, { known, at: now })
    return known
  }

  const lookup = Effect.fnUntraced(function* (hash: string) {
    const now = yield* Clock.currentTimeMillis
    return yield* ask(hash).pipe(
      Effect.flatMap(([row]) => {
        if (row !== undefined) return Effect.succeed(remember(hash, row, now))
        lastGood.delete(hash)
        return Effect.fail(unknownToken)
      }),
      Effect.catchTag("Unavailable", (error) => {
        const before = lastGood.get(hash)
        const isStillGood = before !== undefined && now - before.at < Duration.toMillis(goodWithoutDatabase)
        return isStillGood ? Effect.succeed(before.known) : Effect.fail(error)
      })
    )
  })

  const cache = yield* Cache.makeWith(lookup, {
    capacity: remembered,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? freshFor : Duration.zero)
  })

  const verify = Effect.fnUntraced(function* (secret: Redacted.Redacted) {
    const known = yield* Cache.get(cache, hashOf(Redacted.value(secret)))
    if (known.expiresAt !== undefined && (yield* Clock.currentTimeMillis) >= known.expiresAt) {
      return yield* new Unauthorized({ reason: "the token has expired" })
    }
    return known.actor
  })

  const create = Effect.fn("Tokens.create")(function* (options: { readonly name: string; readonly role: Role }) {
    const { name, role } = options
    const secret = makeSecret(role)
    const rows = yield* sql
      .unsafe<TokenRow>(`insert into tokens (name, role, hash) values ($1, $2, $3) returning ${columns}`, [
        name,
        role,
        Buffer.from(hashOf(Redacted.value(secret)), "hex")
      ])
      .pipe(
        Effect.mapError((error) =>
          SqlFailure.violatedUnique(error) === "tokens_pkey" ? new TokenNameTaken({ name }) : error
        ),
        Query.unlessAway
      )
    const [row] = rows
    if (row === undefined) return yield* Effect.die(new Error("an insert gave no row"))
    return { ...toView(row), token: Redacted.value(secret) }
  })

  const list = Effect.map(Query.run<TokenRow>(sql, `select ${columns} from tokens order by name`, []), (rows) =>
    rows.map(toView)
  )

  const revoke = Effect.fn("Tokens.revoke")(function* (name: string) {
    const rows = yield* Query.run<{ readonly hash: Uint8Array }>(
      sql,
      "delete from tokens where name = $1 returning hash",
      [name]
    )
    for (const { hash } of rows) yield* forget(Buffer.from(hash).toString("hex"))
    return rows.length > 0
  })

  const forget = (hash: string) =>
    Effect.suspend(() => {
      lastGood.delete(hash)
      return Cache.invalidate(cache, hash)
    })

  const seed = Effect.fn("Tokens.seed")(function* (options: {
    readonly name: string
    readonly role: Role
    readonly secret: Redacted.Redacted
  }) {
    const secret = Redacted.value(options.secret)
    if (!secretPattern.test(secret)) {
      return yield* new InvalidInput({
        field: `token ${options.name}`,
        // Never the secret itself, not even a wrong one: it may be the right one elsewhere.
        value: `${secret.length} characters`,
        expected: `at least ${shortestSecret} visible ASCII characters without spaces`
      })
    }
    const { name, role } = options
    const hash = Buffer.from(hashOf(secret), "hex")
    yield* Query.unlessAway(
      sql.withTransaction(
        Effect.gen(function* () {
          // The same secret under an older name moves to this one.
          yield* sql.unsafe("delete from tokens where hash = $1 and name <> $2", [hash, name])
          yield* sql.unsafe(
            `insert into tokens (name, role, hash) values ($1, $2, $3)
             on conflict (name) do update set role = excluded.role, hash = excluded.hash, expires_at = null
             where (tokens.role, tokens.hash, tokens.expires_at) is distinct from (excluded.role, excluded.hash, null)`,
            [name, role, hash]
          )
        })
      )
    )
  })

  return Tokens.of({ verify, create, list, revoke, seed })
})

export const layer: Layer.Layer<Tokens, never, SqlClient> = Layer.effect(Tokens, make)
