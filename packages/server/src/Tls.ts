/**
 * The certificate with which a coordinator shows who it is, and the authorities whose word it takes for managers. Read from
 * files, and read again when these change or on SIGHUP: connections that are open stay open, new ones see the new files.
 */
import { createPrivateKey, constants, X509Certificate } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import type { ServerOptions } from "node:http"
import { createServer } from "node:https"
import type { Server } from "node:https"
import { createSecureContext } from "node:tls"
import type { SecureContextOptions } from "node:tls"
import { Data, Effect, Queue } from "effect"
import type { Scope } from "effect"

/** PEM files, by their paths. */
export interface Files {
  /** The certificate, and after it those that lead to its authority, if any. */
  readonly certFile: string | undefined
  /** Its private key, without a passphrase, and not readable by everybody. */
  readonly keyFile: string | undefined
  /** Authorities that sign managers' certificates. With it a manager must show one that is made out to its id. */
  readonly managerCaFile: string | undefined
}

export const none: Files = { certFile: undefined, keyFile: undefined, managerCaFile: undefined }

/** Whether there is to be TLS. Files that are not enough for it are an error and no reason to go without. */
export const isWanted = (files: Files): boolean => Object.values(files).some((file) => file !== undefined)

/** The variables by which the settings are known; flags of the command line have their names from them. */
export const variables = {
  certFile: "MUSTER_TLS_CERT",
  keyFile: "MUSTER_TLS_KEY",
  managerCaFile: "MUSTER_TLS_MANAGER_CA"
} as const

/** A file of these cannot be used. */
export class TlsUnusable extends Data.TaggedError("TlsUnusable")<{
  readonly variable: string
  readonly file: string | undefined
  readonly reason: string
}> {
  override get message() {
    return this.file === undefined
      ? `${this.variable} is not set: ${this.reason}`
      : `${this.variable} (${this.file}) cannot be used: ${this.reason}`
  }
}

interface Material {
  readonly options: SecureContextOptions
  readonly certificate: X509Certificate
}

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const code = "code" in cause ? cause.code : undefined
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES") return "it may not be read"
  return cause.message
}

const othersMayRead = 0o007

const load = (files: Files): Effect.Effect<Material, TlsUnusable> =>
  Effect.suspend(() => {
    const unusable = (setting: keyof Files, reason: string) =>
      new TlsUnusable({ variable: variables[setting], file: files[setting], reason })
    const use = <A>(setting: keyof Files, read: (file: string) => A) =>
      Effect.suspend(() => {
        const file = files[setting]
        if (file === undefined) return Effect.fail(unusable(setting, "TLS needs a certificate and its key"))
        return Effect.try({ try: () => read(file), catch: (cause) => unusable(setting, reasonOf(cause)) })
      })
    return Effect.gen(function* () {
      const cert = yield* use("certFile", (file) => readFileSync(file, "utf8"))
      const certificate = yield* use("certFile", () => new X509Certificate(cert))
      const key = yield* use("keyFile", (file) => readFileSync(file, "utf8"))
      const mode = yield* use("keyFile", (file) => statSync(file).mode)
      if ((mode & othersMayRead) !== 0) {
        return yield* unusable("keyFile", `everybody on this machine may read it; \`chmod o= ${files.keyFile}\` first`)
      }
      const privateKey = yield* use("keyFile", () => createPrivateKey(key))
      if (!certificate.checkPrivateKey(privateKey)) {
        return yield* unusable("keyFile", `it is not the key of the certificate in ${files.certFile}`)
      }
      const ca =
        files.managerCaFile === undefined
          ? undefined
          : yield* use("managerCaFile", (file) => {
              const text = readFileSync(file, "utf8")
              return new X509Certificate(text).raw.length > 0 ? text : undefined
            })
      const options: SecureContextOptions = {
        cert,
        key,
        minVersion: "TLSv1.2",
        // A ticket would let a client back in on the strength of a certificate that may have run out since.
        ...(ca === undefined ? {} : { ca, secureOptions: constants.SSL_OP_NO_TICKET })
      }
      yield* use("certFile", () => createSecureContext(options))
      return { options, certificate }
    })
  })

/** Whether the files can be used. */
export const check = (files: Files): Effect.Effect<void, TlsUnusable> => Effect.asVoid(load(files))

const describe = ({ certificate }: Material): string =>
  `the certificate of ${certificate.subject.replaceAll("\n", ", ") || certificate.subjectAltName || "nobody"}, ` +
  `valid until ${certificate.validToDate.toISOString()}`

const tell = (material: Material) =>
  material.certificate.validToDate.getTime() < Date.now()
    ? Effect.logError(`TLS: ${describe(material)}, has run out: nobody will connect until it is replaced`)
    : Effect.logInfo(`TLS: ${describe(material)}`)

/** How often the files are looked at. */
const lookEvery = "5 seconds"

/** Milliseconds. A client that has not shaken hands by then is disconnected. */
const handshakeTimeout = 10_000

const sameAs = (one: SecureContextOptions, other: SecureContextOptions): boolean =>
  one.cert === other.cert && one.key === other.key && one.ca === other.ca

/** Completed at each SIGHUP, which would end the process otherwise. */
const hangUps = Effect.gen(function* () {
  const signals = yield* Queue.unbounded<void>()
  const onSignal = () => void Queue.offerUnsafe(signals, undefined)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGHUP", onSignal)),
    () => Effect.sync(() => process.off("SIGHUP", onSignal))
  )
  return signals
})

/** A server that is not listening yet. Its files are followed for as long as the scope is open. */
export const makeServer = Effect.fn("Tls.makeServer")(function* (
  files: Files,
  options: ServerOptions = {}
): Effect.fn.Return<Server, TlsUnusable, Scope.Scope> {
  let current = yield* load(files)
  yield* tell(current)
  const server = createServer({
    ...options,
    ...current.options,
    handshakeTimeout,
    // Who shows none may still be a client of another kind; what managers must show is checked where they come in.
    requestCert: files.managerCaFile !== undefined,
    rejectUnauthorized: false
  })
  const signals = yield* hangUps
  let complaint = ""
  const look = load(files).pipe(
    Effect.flatMap((found) => {
      complaint = ""
      if (sameAs(found.options, current.options)) return Effect.void
      current = found
      server.setSecureContext(found.options)
      return tell(found)
    }),
    // Two files are not replaced in one moment, so this may be the middle of it: the old ones stay in use.
    Effect.catchTag("TlsUnusable", ({ message }) => {
      if (message === complaint) return Effect.void
      complaint = message
      return Effect.logWarning(`${message}; the certificate that was read before stays in use`)
    })
  )
  yield* Queue.take(signals).pipe(
    Effect.timeoutOption(lookEvery),
    Effect.andThen(look),
    Effect.forever,
    Effect.forkScoped
  )
  return server
})
