/**
 * Certificates for tests: an authority of the test's own, and what it signs. Node's crypto reads certificates and does not
 * make them. A program for it is not on every machine and a library for it brings twenty more, so the few bytes that a
 * certificate has besides its keys are written here (RFC 5280, in DER).
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { writeFileSync } from "node:fs"
import { isIP } from "node:net"
import { join } from "node:path"

/** A certificate with its private key, as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Authority extends Certificate {
  readonly name: string
}

const length = (size: number): Buffer => {
  if (size < 0x80) return Buffer.from([size])
  const bytes = Buffer.from(size.toString(16).padStart(size > 0xff ? 4 : 2, "0"), "hex")
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
}

const der = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag]), length(content.length), content])
}

const sequence = (...contents: ReadonlyArray<Uint8Array>) => der(0x30, ...contents)
const objectId = (hex: string) => der(0x06, Buffer.from(hex, "hex"))
const yes = Buffer.from([0x01, 0x01, 0xff])

const commonName = "550403"
const basicConstraints = "551d13"
const alternativeNames = "551d11"
const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"))

const nameOf = (text: string) => sequence(der(0x31, sequence(objectId(commonName), der(0x0c, Buffer.from(text)))))

const time = (at: Date) => der(0x18, Buffer.from(at.toISOString().replaceAll(/[-:T]|\.\d+/g, "")))

const host = (name: string) =>
  isIP(name) === 4 ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name))

const day = 86_400_000

interface Wanted {
  readonly subject: string
  readonly isAuthority?: boolean
  /** Names and addresses of a server. */
  readonly hosts?: ReadonlyArray<string>
  /** Days from now. */
  readonly validFrom?: number
  readonly validTo?: number
}

const pem = (bytes: Buffer) => {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? []
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n")
}

const make = (wanted: Wanted, issuer: string, signer: KeyObject | undefined): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const hosts = wanted.hosts ?? []
  const extensions = [
    ...(wanted.isAuthority === true ? [sequence(objectId(basicConstraints), yes, der(0x04, sequence(yes)))] : []),
    ...(hosts.length > 0 ? [sequence(objectId(alternativeNames), der(0x04, sequence(...hosts.map(host))))] : [])
  ]
  const tbs = sequence(
    der(0xa0, Buffer.from([0x02, 0x01, 0x02])),
    // Positive, and without a needless zero in front.
    der(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(
      time(new Date(Date.now() + (wanted.validFrom ?? -1) * day)),
      time(new Date(Date.now() + (wanted.validTo ?? 30) * day))
    ),
    nameOf(wanted.subject),
    publicKey.export({ type: "spki", format: "der" }),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : [])
  )
  const signature = sign("sha256", tbs, signer ?? privateKey)
  return {
    cert: pem(sequence(tbs, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature))),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}

/** Somebody whose signature is believed. */
export const authority = (name = "test authority"): Authority => ({
  name,
  ...make({ subject: name, isAuthority: true }, name, undefined)
})

/** A certificate that an authority has signed. */
export const signedBy = (by: Authority, wanted: Wanted): Certificate => make(wanted, by.name, createPrivateKey(by.key))

/** A server's, for this machine's own addresses. */
export const server = (by: Authority, wanted: Partial<Wanted> = {}): Certificate =>
  signedBy(by, { subject: "coordinator", hosts: ["127.0.0.1", "localhost"], ...wanted })

/** Writes both files, and answers where they are. */
export const save = (directory: string, name: string, { cert, key }: Certificate) => {
  const files = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key, { mode: 0o600 })
  return files
}
