/**
 * Where coordinators are: `http://host:port`, as people write it. RPC goes to the WebSocket `/rpc` below it.
 */
import { Effect } from "effect"
import { InvalidInput } from "@muster/domain/Errors"

export interface Address {
  /** As given, without a slash at the end; for messages and for HTTP. */
  readonly url: string
  readonly rpc: string
  readonly host: string
  readonly port: number
}

const schemes: Readonly<Record<string, { readonly socket: string; readonly port: number }>> = {
  "http:": { socket: "ws:", port: 80 },
  "https:": { socket: "wss:", port: 443 }
}

/** Reads the addresses of the coordinators of one cluster: several, or one text with commas between them. */
export const parseAll = (given: string | ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Address>, InvalidInput> =>
  Effect.forEach(
    (typeof given === "string" ? [given] : given).flatMap((text) => text.split(",").map((part) => part.trim())),
    parse
  )

/** Reads an address or says what is wrong with it. */
export const parse = (text: string): Effect.Effect<Address, InvalidInput> =>
  Effect.suspend(() => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined
    const scheme = parsed === undefined ? undefined : schemes[parsed.protocol]
    if (parsed === undefined || scheme === undefined || parsed.hostname === "") {
      return Effect.fail(
        new InvalidInput({
          field: "url",
          value: JSON.stringify(text),
          expected: "an address such as http://127.0.0.1:7117"
        })
      )
    }
    const path = parsed.pathname.replace(/\/+$/, "")
    return Effect.succeed({
      url: `${parsed.protocol}//${parsed.host}${path}`,
      rpc: `${scheme.socket}//${parsed.host}${path}/rpc`,
      // Node wants an IPv6 address without the brackets that a URL puts around it.
      host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: parsed.port === "" ? scheme.port : Number(parsed.port)
    })
  })
