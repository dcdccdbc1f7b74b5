/**
 * The certificates of a manager, read from its files.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import { Data, Effect } from "effect"
import type { Tls } from "./Connection.ts"

/** Paths; empty for none. */
export interface Files {
  readonly tlsCa: string
  readonly tlsCert: string
  readonly tlsKey: string
}

/** A file of these cannot be used. */
export class TlsUnusable extends Data.TaggedError("TlsUnusable")<{
  readonly variable: string
  readonly file: string
  readonly reason: string
}> {
  override get message() {
    return this.file === ""
      ? `${this.variable} is not set: ${this.reason}`
      : `${this.variable} (${this.file}) cannot be used: ${this.reason}`
  }
}

const othersMayRead = 0o007

const check = (variable: string, file: string, read: () => string): Effect.Effect<string, TlsUnusable> =>
  file === ""
    ? Effect.fail(new TlsUnusable({ variable, file, reason: "a certificate and its key belong together" }))
    : Effect.try({
        try: read,
        catch: (cause) =>
          new TlsUnusable({ variable, file, reason: cause instanceof Error ? cause.message : String(cause) })
      })

const certificates = (file: string) => () => {
  const text = readFileSync(file, "utf8")
  return new X509Certificate(text).raw.length > 0 ? text : ""
}

const privateKey = (file: string, certificate: string) => () => {
  if ((statSync(file).mode & othersMayRead) !== 0) {
    throw new Error(`everybody on this machine may read it; \`chmod o= ${file}\` first`)
  }
  const text = readFileSync(file, "utf8")
  if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(text))) return text
  throw new Error("it is not the key of the certificate")
}

/** What the files hold now. */
export const read = Effect.fnUntraced(function* ({
  tlsCa,
  tlsCert,
  tlsKey
}: Files): Effect.fn.Return<Tls, TlsUnusable> {
  const ca = tlsCa === "" ? {} : { ca: yield* check("MUSTER_TLS_CA", tlsCa, certificates(tlsCa)) }
  if (tlsCert === "" && tlsKey === "") return ca
  const cert = yield* check("MUSTER_TLS_CERT", tlsCert, certificates(tlsCert))
  const key = yield* check("MUSTER_TLS_KEY", tlsKey, privateKey(tlsKey, cert))
  return { ...ca, cert, key }
})
