/**
 * How RPC messages look on every socket. Both ends must agree, so it is said once.
 *
 * Lines of JSON: a message can be read with the eye, and a task needs no tag that says whether it is a command or a
 * handler, as the binary form would want. Both are about equally fast, since strings make up most of a message.
 */
import { Data, Effect, Layer } from "effect"
import { RpcSerialization } from "effect/rpc"

/** Largest message in bytes: a batch of tasks at its limit, with room. */
export const maxFrameSize = 64 * 1024 * 1024

/** A line of JSON that is no message. What it would ask for was not done. */
export class MalformedMessage extends Data.TaggedError("MalformedMessage")<{ readonly expected: string }> {
  override get message() {
    return `a line is no RPC message; expected: ${this.expected}`
  }
}

const isId = (value: unknown): boolean => typeof value === "string" || typeof value === "number"

const isHeader = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "string"

const field = (message: object, name: string): unknown => Reflect.get(message, name)

/** What is wrong with the frame of a message, if anything is. Whatever it carries is another matter. */
const problemOf = (message: unknown): string | undefined => {
  if (typeof message !== "object" || message === null) return "an object"
  switch (field(message, "_tag")) {
    case "Request": {
      if (!isId(field(message, "id"))) return "an `id` that is text or a number"
      if (typeof field(message, "tag") !== "string") return "a `tag` that is text"
      const headers = field(message, "headers")
      return Array.isArray(headers) && headers.every(isHeader) ? undefined : "`headers` that are pairs of texts"
    }
    case "Ack":
    case "Interrupt":
      return isId(field(message, "requestId")) ? undefined : "a `requestId` that is text or a number"
    default:
      return typeof field(message, "_tag") === "string" ? undefined : "a `_tag` that is text"
  }
}

/** What reads them takes their frames as given, and comes down with ones that are not as they should be. */
const checked = (serialization: RpcSerialization.RpcSerialization["Service"]) =>
  RpcSerialization.RpcSerialization.of({
    ...serialization,
    makeUnsafe: () => {
      const parser = serialization.makeUnsafe()
      return {
        encode: parser.encode,
        decode: (bytes) => {
          const messages = parser.decode(bytes)
          for (const message of messages) {
            const expected = problemOf(message)
            if (expected !== undefined) throw new MalformedMessage({ expected })
          }
          return messages
        }
      }
    }
  })

export const layer: Layer.Layer<RpcSerialization.RpcSerialization> = Layer.effect(
  RpcSerialization.RpcSerialization,
  Effect.map(RpcSerialization.RpcSerialization, checked)
).pipe(Layer.provide(RpcSerialization.layerNdjsonWith({ maxBufferSize: maxFrameSize })))
