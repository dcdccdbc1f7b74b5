/**
 * TLS to Postgres, as its URL asks for it. What the driver would do less strictly than asked, or would pass over, is
 * refused: `sslmode=prefer` goes on in the clear when the other end says that it has no TLS, and `ssl=true` says nothing
 * to it at all.
 */
import { readFileSync, statSync } from "node:fs"
import type { ConnectionOptions } from "node:tls"
import { Data, Effect } from "effect"
import { isLoopback } from "@muster/domain/Loopback"

/** What the URL says about TLS cannot be done as it says. */
export class DatabaseTlsInvalid extends Data.TaggedError("DatabaseTlsInvalid")<{ readonly reason: string }> {
  override get message() {
    return `the database URL ${this.reason}`
  }
}

const modes = "sslmode=verify-full (require and verify-ca mean the same here) or sslmode=disable"

/** All three check the certificate and the name in it, which for the first two is more than Postgres' own programs do. */
const checking: ReadonlySet<string> = new Set(["require", "verify-ca", "verify-full"])

/** Understood here and kept from the driver. */
const files = ["sslrootcert", "sslcert", "sslkey"] as const

/** Others that ask for protection. What begins with `ssl` is looked at by itself. */
const protections: ReadonlySet<string> = new Set(["channel_binding", "gssencmode", "requiressl", "require_auth"])

const invalid = (reason: string) => Effect.fail(new DatabaseTlsInvalid({ reason }))

const othersMayRead = 0o007

const read = (name: string, file: string) =>
  Effect.try({
    try: () => {
      if (name === "sslkey" && (statSync(file).mode & othersMayRead) !== 0) {
        throw new Error(`everybody on this machine may read it; \`chmod o= ${file}\` first`)
      }
      return readFileSync(file, "utf8")
    },
    catch: (cause) =>
      new DatabaseTlsInvalid({
        reason: `names a file that cannot be used: ${name}=${file}: ${cause instanceof Error ? cause.message : String(cause)}`
      })
  })

/** How to connect to the host of this URL. */
export const fromUrl = Effect.fn("DatabaseTls.fromUrl")(function* (
  url: URL
): Effect.fn.Return<false | ConnectionOptions, DatabaseTlsInvalid> {
  const given = url.searchParams
  for (const name of given.keys()) {
    const isKnown = name === "sslmode" || files.some((file) => file === name)
    if (!isKnown && (name.startsWith("ssl") || protections.has(name))) {
      return yield* invalid(`has ${name}, which is not supported; allowed: ${modes}, with ${files.join(", ")}`)
    }
  }
  const host = given.get("host") ?? url.hostname
  const isOnThisMachine = host === "" || decodeURIComponent(host).startsWith("/") || isLoopback(host)
  const mode = given.get("sslmode")
  const named = files.filter((name) => given.has(name))

  if (mode === null || mode === "disable") {
    if (named.length > 0) return yield* invalid(`has ${named.join(", ")} without TLS; add sslmode=verify-full`)
    if (mode === null && !isOnThisMachine) {
      return yield* invalid(
        `leads to another machine (${host}) and does not say whether over TLS: add sslmode=verify-full, with ` +
          "sslrootcert=FILE for an authority of your own, or sslmode=disable to send everything in the clear"
      )
    }
    return false
  }
  if (!checking.has(mode)) {
    return yield* invalid(`has sslmode=${mode}, which may end without TLS or is not known; allowed: ${modes}`)
  }
  const content = (name: (typeof files)[number]) => {
    const file = given.get(name)
    // As Postgres' own programs have it: the authorities that the system trusts.
    return file === null || (name === "sslrootcert" && file === "system") ? Effect.undefined : read(name, file)
  }
  const ca = yield* content("sslrootcert")
  const cert = yield* content("sslcert")
  const key = yield* content("sslkey")
  if ((cert === undefined) !== (key === undefined)) {
    return yield* invalid("has one of sslcert and sslkey, which belong together")
  }
  return {
    // Also where the environment tells Node to believe everybody.
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key })
  }
})
