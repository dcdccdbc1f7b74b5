/**
 * What coordinators of one cluster know and nobody else does: 32 random bytes in their database. Both ends of each
 * connection between two coordinators prove that they have them (TLS 1.3 with a pre-shared key), before the first message.
 *
 * Certificates would say no more: whoever can read the database can be a coordinator anyway. This needs no setting, so the
 * port is never open to strangers, on loopback neither.
 */
import { randomBytes } from "node:crypto"
import type { ConnectionOptions, TlsOptions } from "node:tls"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export type ClusterKey = Redacted.Redacted<Uint8Array>

const bytes = 32

/** The cluster's key; the first coordinator of a database makes it. */
export const load: Effect.Effect<ClusterKey, SqlError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql.unsafe("insert into cluster_key (secret) values ($1) on conflict do nothing", [randomBytes(bytes)])
  const [row] = yield* sql.unsafe<{ readonly secret: Uint8Array }>("select secret from cluster_key")
  // Whoever has just taken it away is putting another one in its place, and will restart the coordinators.
  if (row === undefined) return yield* Effect.die(new Error("the cluster's key has just been removed; start again"))
  return Redacted.make(row.secret, { label: "cluster key" })
})

/** Said by whoever connects. There is one key, so it tells nothing. */
const identity = "muster-coordinator"

/**
 * TLS 1.3 only, since older versions guard messages of a pre-shared key with less. This suite because a key of this kind
 * works with those of SHA-256 alone; the session's own keys come from a fresh exchange all the same, so that a key which
 * leaks later opens no recording.
 */
const suite = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: "TLS_AES_128_GCM_SHA256" } as const

/** Milliseconds. Who has not proved the key by then is disconnected. */
const handshakeTimeout = 5_000

/** For the end that listens: it has no certificate, so without the key there is no connection. */
export const toListen = (key: ClusterKey): TlsOptions => ({
  ...suite,
  handshakeTimeout,
  pskCallback: (_socket, said) => (said === identity ? Redacted.value(key) : null)
})

/**
 * For the end that connects. An impostor could ignore the offered key and show a certificate instead: none is believed,
 * whoever signed it.
 */
export const toConnect = (key: ClusterKey): ConnectionOptions => ({
  ...suite,
  ca: [],
  rejectUnauthorized: true,
  checkServerIdentity: () => new Error("the other end shows a certificate in place of the cluster's key"),
  pskCallback: () => ({ psk: Redacted.value(key), identity })
})
