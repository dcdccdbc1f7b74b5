/** Lines of standard input as they come, never more of them in memory than are on their way. */
import { Effect, Stream } from "effect"
import * as Failure from "../Failure.ts"

const newline = 10

const decode = (bytes: Uint8Array, number: number): Effect.Effect<string, Failure.CommandFailed> =>
  Effect.try({
    try: () => decoder.decode(bytes),
    catch: () =>
      Failure.usage(
        `line ${number} of standard input is not UTF-8 text`,
        "`iconv` converts other encodings; file names that are no text can be given by a pattern or a list"
      )
  })

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The longest line: what Linux accepts for one argument. */
const maxLine = 131_071

const tooLong = (number: number) =>
  Failure.usage(
    `line ${number} of standard input is longer than ${maxLine} bytes, which no program takes as an argument`
  )

/**
 * Splits bytes into lines. The end of a line is a newline, a carriage return before it belongs to it; the last line needs
 * none.
 */
export const split = <E, R>(
  input: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<string, E | Failure.CommandFailed, R> =>
  Stream.suspend(() => {
    let rest: Uint8Array = new Uint8Array()
    let number = 0
    const take = (bytes: Uint8Array) => {
      number++
      const end = bytes.at(-1) === 13 ? bytes.length - 1 : bytes.length
      return end > maxLine ? Effect.fail(tooLong(number)) : decode(bytes.subarray(0, end), number)
    }
    const lines = (chunk: Uint8Array) =>
      Effect.gen(function* () {
        const found: Array<string> = []
        let start = 0
        for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
          const line = chunk.subarray(start, end)
          found.push(yield* take(rest.length === 0 ? line : Buffer.concat([rest, line])))
          rest = new Uint8Array()
          start = end + 1
        }
        if (start < chunk.length) rest = Buffer.concat([rest, chunk.subarray(start)])
        if (rest.length > maxLine + 1) return yield* tooLong(number + 1)
        return found
      })
    return Stream.concat(
      Stream.flattenIterable(Stream.mapEffect(input, lines)),
      Stream.unwrap(
        Effect.sync(() => (rest.length === 0 ? Stream.empty : Stream.fromEffect(Effect.suspend(() => take(rest)))))
      )
    )
  })

/** Standard input in the parts in which it comes. */
export const standardInput: Stream.Stream<Uint8Array, Failure.CommandFailed> = Stream.suspend(() =>
  Stream.fromAsyncIterable<Uint8Array, Failure.CommandFailed>(process.stdin, (cause) =>
    Failure.failed(`standard input cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  )
)
