/**
 * Snapshots of small aggregates: their state as JSON through its schema.
 */
import { Option, Schema } from "effect"

const toBytes = new TextEncoder()
const toText = new TextDecoder()

export const make = <S extends Schema.Codec<unknown, unknown>>(
  schema: S,
  options: { readonly schemaVersion: number }
) => {
  const json = Schema.fromJsonString(schema)
  const decode = Schema.decodeUnknownOption(json)
  const encode = Schema.encodeSync(json)
  return {
    schemaVersion: options.schemaVersion,
    encode: (state: S["Type"]): Uint8Array => toBytes.encode(encode(state)),
    decode: (bytes: Uint8Array): S["Type"] | undefined => Option.getOrUndefined(decode(toText.decode(bytes)))
  }
}
