/**
 * Why a connection could not be opened, in words for whoever has to mend it. What sockets and TLS report is a code; what
 * a WebSocket reports is an event that holds an error that holds the code.
 */

const signedByNobodyKnown = "its certificate is signed by an authority that is not known here"

/** How clients and managers name an authority of their own. */
const ownAuthority = "name the file with the authority's certificate (MUSTER_TLS_CA, --tls-ca)"

const noTls =
  "no TLS is spoken there, so nothing was sent; is the address right, and has the coordinator a certificate?"

/** Certificates, and whatever else goes wrong before the two ends trust each other. */
const ofTls: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has run out; it must be renewed there",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; is the clock right on both machines?",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "its certificate is made out to another name; use a name that stands in it, or have one made for this name",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: signedByNobodyKnown,
  UNABLE_TO_GET_ISSUER_CERT: signedByNobodyKnown,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: signedByNobodyKnown,
  DEPTH_ZERO_SELF_SIGNED_CERT: signedByNobodyKnown,
  SELF_SIGNED_CERT_IN_CHAIN: signedByNobodyKnown,
  CERT_SIGNATURE_FAILURE: signedByNobodyKnown,
  CERT_REVOKED: "its certificate has been revoked",
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_HTTP_REQUEST: noTls,
  EPROTO: noTls
}

const ofNetwork: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name of the host cannot be looked up",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ECONNRESET: "connection reset",
  ETIMEDOUT: "no answer"
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

/** Causes are nested a few deep; a cycle ends here too. */
const deepest = 8

/** The first code in an error or in what caused it. */
export const codeOf = (error: unknown): string | undefined => {
  let current = error
  for (let depth = 0; depth < deepest && current !== undefined; depth++) {
    const code = field(current, "code")
    if (typeof code === "string") return code
    current = field(current, "reason") ?? field(current, "cause") ?? field(current, "error")
  }
  return undefined
}

/**
 * What is wrong between the two ends' certificates, if that is what is wrong. `advice`: what to do when only the authority
 * is not known.
 */
export const explainTls = (error: unknown, advice = ownAuthority): string | undefined => {
  const code = codeOf(error) ?? ""
  const known = ofTls[code]
  if (known === signedByNobodyKnown) return `${known}; ${advice}`
  return known ?? (code.startsWith("ERR_SSL_") ? `TLS failed (${code})` : undefined)
}

/** What is wrong on the way there, by its code. */
export const explainNetwork = (code: string | undefined): string | undefined => ofNetwork[code ?? ""]

/** Who speaks plainly to a port for TLS is cut off without a word. */
export const perhapsTls = "the connection was closed at once; if TLS is spoken there, the address begins with https://"
