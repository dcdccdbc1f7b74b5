/**
 * TLS between real processes: who is let in with which certificate, and what those read who are not.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import type { Options } from "@muster/client/MusterClient"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import * as Connection from "@muster/manager/Connection"
import * as ManagerConfig from "@muster/manager/ManagerConfig"
// A package gives its sources away by name, and a test needs what stands beside them.
// oxlint-disable-next-line no-restricted-imports
import * as Certificates from "../../packages/server/test/support/Certificates.ts"
import * as Process from "./support/Process.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

const ours = Certificates.authority("our authority")
const managersAuthority = Certificates.authority("managers' authority")
const somebodyElse = Certificates.authority("somebody else")

const managerId = ManagerId.make("1m7xsk1ryjnaaa19")
const otherManagerId = "1m7xsk146mr3j06t"

/** A directory of a manager that has its id already, as `muster manager id` makes it. */
const managerDirectory = (parent: string, name: string) => {
  const directory = join(parent, name)
  mkdirSync(directory, { mode: 0o700 })
  writeFileSync(join(directory, "manager-id"), `${managerId}\n`, { mode: 0o600 })
  return directory
}

const setUp = Effect.gen(function* () {
  const system = yield* System.make
  const directory = yield* Process.directory("tls")
  const authorities = Certificates.save(directory, "ours", ours)
  const server = Certificates.save(directory, "server", Certificates.server(ours))
  const managers = Certificates.save(directory, "managers", managersAuthority)
  const coordinator = yield* system.coordinator({
    secure: true,
    env: { MUSTER_TLS_CERT: server.cert, MUSTER_TLS_KEY: server.key, MUSTER_TLS_MANAGER_CA: managers.cert }
  })
  return { system, directory, caFile: authorities.cert, server, coordinator }
})

/** Why a client cannot reach an address. */
const refused = (system: System.System, url: string, options: Partial<Options>) =>
  Effect.scoped(
    Effect.flatMap(system.client(url, { connectTimeout: 0, ...options }), (client) => Effect.flip(client.serverInfo))
  )

const command = { program: "true", args: [] }

describe("a system over TLS", () => {
  it.live(
    "runs tasks of a client that knows the authority, and gives its certificate up for a new one while it runs",
    () =>
      Effect.gen(function* () {
        const { caFile, coordinator, directory, server, system } = yield* setUp
        const mine = Certificates.save(
          directory,
          "manager",
          Certificates.signedBy(managersAuthority, { subject: managerId })
        )
        const manager = yield* system.manager({
          urls: [coordinator.url],
          directory: managerDirectory(directory, "good"),
          env: { MUSTER_TLS_CA: caFile, MUSTER_TLS_CERT: mine.cert, MUSTER_TLS_KEY: mine.key }
        })
        const connections: Array<boolean> = []
        const client = yield* system.client(coordinator.url, {
          caFile,
          onConnection: (connected) => Effect.sync(() => connections.push(connected))
        })
        const run = Effect.gen(function* () {
          const suite = yield* client.createSuite({})
          yield* client.submit(suite.id, [command, command])
          yield* client.closeSuite(suite.id)
          const { tasks } = yield* client.wait(suite.id, { timeout: "30 seconds" })
          return tasks.succeeded
        })
        assert.strictEqual(yield* run, 2)

        // The authority that signs from now on is another one.
        Certificates.save(directory, "server", Certificates.server(somebodyElse))
        yield* coordinator.kill("SIGHUP")
        const newCa = Certificates.save(directory, "somebody-else", somebodyElse).cert
        yield* Wait.until(
          "the new certificate is shown",
          Effect.exit(
            Effect.scoped(
              Effect.flatMap(
                system.client(coordinator.url, { caFile: newCa, connectTimeout: 0 }),
                (other) => other.serverInfo
              )
            )
          ),
          (exit) => exit._tag === "Success"
        )
        const old = yield* refused(system, coordinator.url, { caFile })
        assert.include(old.message, "signed by an authority that is not known here")
        // Who was connected did not notice.
        assert.strictEqual(yield* run, 2)
        assert.deepStrictEqual(connections, [true])
        assert.notInclude(manager.output(), "lost the connection")

        // A key that is not the certificate's is not taken.
        Certificates.save(directory, "other", Certificates.server(ours))
        writeFileSync(server.key, Certificates.server(ours).key)
        yield* coordinator.kill("SIGHUP")
        yield* Wait.until(
          "it complains",
          Effect.sync(() => coordinator.output()),
          (output) => output.includes("it is not the key of the certificate")
        )
        assert.strictEqual(yield* run, 2)
      })
  )

  it.live("says in one line why a client does not get in", () =>
    Effect.gen(function* () {
      const { caFile, coordinator, directory, server, system } = yield* setUp
      const { url } = coordinator
      const unknown = yield* refused(system, url, {})
      assert.match(
        unknown.message,
        /^cannot reach https:\/\/127.0.0.1:\d+: its certificate is signed by an authority that is not known here; name the file .*MUSTER_TLS_CA, --tls-ca/
      )
      const wrongAuthority = Certificates.save(directory, "somebody-else", somebodyElse).cert
      assert.include(
        (yield* refused(system, url, { caFile: wrongAuthority })).message,
        "an authority that is not known"
      )
      assert.include((yield* refused(system, url.replace("https", "http"), {})).message, "begins with https://")
      assert.include((yield* refused(system, url, { caFile, token: "mst_admin_wrong-wrong-wrong" })).message, "token")

      for (const [wanted, says] of [
        [{ hosts: ["elsewhere.example"] }, "made out to another name"],
        [{ validFrom: -10, validTo: -1 }, "has run out"],
        [{ validFrom: 1, validTo: 2 }, "not valid yet"]
      ] as const) {
        Certificates.save(directory, "server", Certificates.server(ours, wanted))
        yield* coordinator.kill("SIGHUP")
        yield* Wait.until(says, refused(system, url, { caFile }), ({ message }) => message.includes(says))
      }
      const plain = yield* system.coordinator()
      const downgraded = yield* refused(system, plain.url.replace("http", "https"), { caFile })
      assert.include(downgraded.message, "no TLS is spoken there, so nothing was sent")
      assert.notInclude(coordinator.output() + server.key, ours.key)
    })
  )

  it.live("lets no manager in but with a certificate of its own and a good token", () =>
    Effect.gen(function* () {
      const { caFile, coordinator, directory, system } = yield* setUp
      const client = yield* system.client(coordinator.url, { caFile })
      const { token: revoked } = yield* client.createToken("revoked", "enrolment")
      yield* client.revokeToken("revoked")
      const signed = (by: Certificates.Authority, subject: string, validTo = 30) =>
        Certificates.signedBy(by, { subject, validFrom: -60, validTo })
      const good = signed(managersAuthority, managerId)
      const url = ManagerConfig.socketUrl(coordinator.url) ?? ""

      /** What a manager hears that calls with this certificate and token. */
      const answerTo = (certificate: Partial<Certificates.Certificate>, token = system.enrolmentToken) =>
        Effect.scoped(
          Effect.gen(function* () {
            const refusals: Array<string> = []
            const manager = yield* Connection.open(url, Redacted.make(token), {
              tls: { ca: ours.cert, ...certificate },
              onRefused: ({ reason, status }) => refusals.push(`${status}: ${reason}`)
            })
            const error = yield* Effect.flip(manager.Ready({ managerId, epoch: Epoch.make(1) }))
            return refusals[0] ?? `${error._tag}: ${error.message}`
          })
        )

      // Who is let in is told by the actor that there is no such session.
      assert.match(yield* answerTo(good), /^Unavailable: manager 1m7xsk1ryjnaaa19 has no session/)
      for (const [says, certificate, token] of [
        [/^403: .* only with a certificate; none was shown/, {}, undefined],
        [/^403: .* is not accepted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/, signed(somebodyElse, managerId), undefined],
        [/^403: .* is not accepted \(CERT_HAS_EXPIRED\)/, signed(managersAuthority, managerId, -1), undefined],
        [/^Unauthorized: .* not made out to manager 1m7xsk1/, signed(managersAuthority, otherManagerId), undefined],
        [/^Unauthorized: .* not made out to manager 1m7xsk1/, signed(managersAuthority, "1m7xsk1*"), undefined],
        [/^Unauthorized: the token is not known; it may have been revoked/, good, revoked]
      ] as const) {
        assert.match(yield* answerTo(certificate, token), says)
      }

      const outsider = yield* system.manager({
        urls: [coordinator.url],
        directory: managerDirectory(directory, "outsider"),
        env: { MUSTER_TLS_CA: caFile }
      })
      const { code } = yield* outsider.exited
      // Its workers may have said that they go.
      assert.match(outsider.output(), /(^|\n)muster manager: the coordinator at wss:.* refuses this manager: .*\n$/)
      assert.strictEqual(code, 3)
      assert.deepStrictEqual(yield* Stream.runCollect(client.listManagers()), [])
    })
  )
})
