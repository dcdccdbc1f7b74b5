/**
 * What coordinators say of themselves and each other, seen from here.
 */
import { Effect, Predicate } from "effect"
import * as Finding from "@muster/domain/Doctor/Finding"
import { version } from "@muster/domain/Version"

export interface Options {
  readonly urls: ReadonlyArray<string>
  readonly token: string | undefined
  /** The authority that signs coordinators' certificates, if it is not one that everybody knows. */
  readonly caFile: string | undefined
  readonly full: boolean
  /** Whether the coordinator is to look at the database: not when this command does it itself. */
  readonly database: boolean
  /** Nobody has said where a coordinator is. */
  readonly isGuess: boolean
}

const patience = "1 second"

const unanswered = (url: string, error: unknown, isGuess: boolean): Finding.Finding => {
  const say = Finding.about(`coordinator ${url}`)
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : String(error)
  if (Predicate.isTagged(error, "Unauthorized")) {
    return say.error(
      "coordinator.reachable",
      message,
      "`muster config view` shows which token is used; it takes an admin's"
    )
  }
  const next = "see whether it runs (`muster dev status`, its /readyz); --url or MUSTER_URL say where it is"
  return isGuess
    ? say.warning("coordinator.reachable", `${message} (nobody has said where a coordinator is)`, next)
    : say.error("coordinator.reachable", message, next)
}

const versionOf = (url: string, there: string): Finding.Finding => {
  const say = Finding.about(`coordinator ${url}`)
  return there === version
    ? say.ok("coordinator.version", `it has version ${there}, as this command`)
    : say.warning(
        "coordinator.version",
        `it has version ${there}, this command ${version}`,
        "use the same version on both sides; the older side does not know what is new"
      )
}

interface Answer {
  readonly findings: ReadonlyArray<Finding.Finding>
  /** It has told of all coordinators. */
  readonly didExamine: boolean
}

/** Asks one coordinator; `examine` has it look at the whole cluster. */
const ask = Effect.fnUntraced(function* (url: string, options: Options, examine: boolean) {
  const client = yield* Effect.promise(() => import("@muster/client/MusterClient"))
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const muster = yield* client.MusterClient.make({
        url,
        token: options.token ?? "",
        ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
        connectTimeout: patience,
        repeatFor: patience
      })
      const { coordinator, version: there } = yield* muster.serverInfo
      const here = [
        Finding.about(`coordinator ${url}`).ok("coordinator.reachable", `it answers as ${coordinator}`),
        versionOf(url, there)
      ]
      if (!examine) return { findings: here, didExamine: false }
      const { findings } = yield* muster.examine({ full: options.full, database: options.database }).pipe(
        // An older one does not know the question, and its answer is a defect.
        Effect.catchDefect(() =>
          Effect.succeed({
            findings: [
              Finding.about(`coordinator ${url}`).warning(
                "coordinator.examine",
                "it cannot be asked what is wrong: its version does not know how",
                "update it, or run this command with --database-url"
              )
            ]
          })
        )
      )
      return { findings: [...here, ...findings], didExamine: true }
    })
  ).pipe(
    Effect.catch((error) => Effect.succeed({ findings: [unanswered(url, error, options.isGuess)], didExamine: false }))
  )
})

/** Asks each coordinator whether it is there, and the first that is about all of them. */
export const examine = Effect.fnUntraced(function* (options: Options) {
  const findings: Array<Finding.Finding> = []
  let didExamine = false
  for (const url of options.urls) {
    const answer: Answer = yield* ask(url, options, !didExamine)
    findings.push(...answer.findings)
    didExamine ||= answer.didExamine
  }
  return { findings, didExamine }
})
