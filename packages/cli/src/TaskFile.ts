/**
 * Files with tasks: JSON, JSON lines or YAML. A file holds a list of tasks, one task, or `{suite, tasks}`. It is read and
 * checked as a whole before anything is sent; only JSON lines from standard input are checked and sent as they come, since
 * they may have no end.
 */
import { Effect, Predicate, Stream } from "effect"
import { readFile } from "node:fs/promises"
import { extname } from "node:path"
import * as Failure from "./Failure.ts"
import * as Lines from "./run/Lines.ts"

export const formats = ["json", "jsonl", "yaml"] as const
export type Format = (typeof formats)[number]

/** What a file says. Nothing in it has been checked but its form. */
export interface Contents {
  /** The suite to make, if the file describes one. */
  readonly suite: unknown
  readonly tasks: ReadonlyArray<unknown>
}

const extensions: Readonly<Record<string, Format>> = {
  ".json": "json",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".yaml": "yaml",
  ".yml": "yaml"
}

/** The format that a name suggests. */
export const formatOf = (path: string): Format | undefined => extensions[extname(path).toLowerCase()]

/** Where an offset into a text is, both from 1. */
const placeOf = (text: string, offset: number): { readonly line: number; readonly column: number } => {
  const before = text.slice(0, offset)
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") }
}

const malformed = (name: string, line: number, column: number, reason: string) =>
  Failure.usage(`${name}:${line}:${column}: ${reason}`)

/** Node's own message without what it says about the place, which is said better here. */
const reasonOf = (message: string) => message.replace(/ in JSON at position \d+.*$/s, "").replace(/, "[\s\S]*$/, "")

const syntaxError = (text: string): string | undefined => {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const positionOf = (message: string): number | undefined => {
  const position = /at position (\d+)/.exec(message)?.[1]
  return position === undefined ? undefined : Number(position)
}

/** Whether a text is wrong whatever might follow it. */
const isBroken = (text: string): boolean => {
  const message = syntaxError(text)
  if (message === undefined || message.startsWith("Unexpected end")) return false
  const position = positionOf(message)
  return position === undefined || position < text.length
}

/**
 * Where JSON goes wrong. Node does not say it of every error; then it is where the shortest beginning ends that nothing
 * could follow.
 */
const offsetOf = (text: string, message: string): number => {
  const position = positionOf(message)
  if (position !== undefined) return position
  if (message.startsWith("Unexpected end")) return text.trimEnd().length
  let fine = 0
  let broken = text.length
  while (broken - fine > 1) {
    const middle = (fine + broken) >>> 1
    if (isBroken(text.slice(0, middle))) broken = middle
    else fine = middle
  }
  return broken - 1
}

const parseJson = (name: string, text: string, firstLine = 1): Effect.Effect<unknown, Failure.CommandFailed> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => {
      const message = cause instanceof Error ? cause.message : String(cause)
      const { column, line } = placeOf(text, offsetOf(text, message))
      return malformed(name, line + firstLine - 1, column, reasonOf(message))
    }
  })

/** The parser goes down with what it reads. */
const yamlReason = (message: string): string => (message.includes("call stack") ? "it is nested too deeply" : message)

const parseYaml = Effect.fn("TaskFile.parseYaml")(function* (name: string, text: string) {
  const Yaml = yield* Effect.promise(() => import("yaml"))
  const lineCounter = new Yaml.LineCounter()
  const document = Yaml.parseDocument(text, { lineCounter, prettyErrors: false, logLevel: "error" })
  const [error] = document.errors
  if (error !== undefined) {
    const { col, line } = lineCounter.linePos(error.pos[0])
    return yield* malformed(name, line, col, yamlReason(error.message))
  }
  return yield* Effect.try({
    // Aliases may repeat each other without end; what they expand to is bounded.
    try: (): unknown => document.toJS({ maxAliasCount: 10_000 }),
    catch: (cause) => malformed(name, 1, 1, yamlReason(cause instanceof Error ? cause.message : String(cause)))
  })
})

const parseJsonLines = (name: string, text: string) =>
  Effect.forEach(
    text
      .split("\n")
      .map((line, index) => ({ line: line.trim(), number: index + 1 }))
      .filter(({ line }) => line !== ""),
    ({ line, number }) => parseJson(name, line, number)
  )

/** Reads the shapes that a file may have. */
const toContents = (name: string, value: unknown): Effect.Effect<Contents, Failure.CommandFailed> => {
  if (Array.isArray(value)) return Effect.succeed({ suite: undefined, tasks: value })
  if (Predicate.hasProperty(value, "tasks")) {
    const { suite, tasks, ...more } = value as { readonly suite?: unknown; readonly tasks: unknown } // only read
    const [unknown] = Object.keys(more)
    if (unknown !== undefined) {
      return Effect.fail(Failure.usage(`${name}: there is a field ${unknown}; allowed beside tasks: suite`))
    }
    return Array.isArray(tasks)
      ? Effect.succeed({ suite, tasks })
      : Effect.fail(Failure.usage(`${name}: tasks is ${JSON.stringify(tasks)}; allowed: a list of tasks`))
  }
  return Predicate.isObject(value)
    ? Effect.succeed({ suite: undefined, tasks: [value] })
    : Effect.fail(
        Failure.usage(
          `${name}: it holds ${JSON.stringify(value) ?? "nothing"}; allowed: a list of tasks, or {suite, tasks}`
        )
      )
}

/** What a text is, judged by how it begins. */
const guess = (text: string): Format => {
  const start = text.trimStart()
  if (start.startsWith("[")) return "json"
  if (!start.startsWith("{")) return "yaml"
  const [line = ""] = start.split("\n", 1)
  try {
    JSON.parse(line)
    return "jsonl"
  } catch {
    return "json"
  }
}

/** Reads a text of a known or guessed format. */
export const parse = Effect.fn("TaskFile.parse")(function* (name: string, text: string, format?: Format) {
  switch (format ?? guess(text)) {
    case "json":
      return yield* toContents(name, yield* parseJson(name, text))
    case "jsonl":
      return { suite: undefined, tasks: yield* parseJsonLines(name, text) }
    case "yaml":
      return yield* toContents(name, yield* parseYaml(name, text))
  }
})

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory"
}

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Reads a whole file, or all of standard input (`-`). */
export const read = Effect.fn("TaskFile.read")(function* (path: string, format: Format | undefined) {
  const name = path === "-" ? "standard input" : path
  const bytes = yield* path === "-"
    ? Effect.map(Stream.runCollect(Lines.standardInput), (parts) => Buffer.concat(parts))
    : Effect.tryPromise({
        try: () => readFile(path),
        catch: (cause) => {
          const { code = "", message } = cause as NodeJS.ErrnoException // what Node rejects with here
          return Failure.usage(`cannot read ${path}: ${reasons[code] ?? message}`)
        }
      })
  const text = yield* Effect.try({
    try: () => decoder.decode(bytes),
    catch: () => Failure.usage(`${name} is not UTF-8 text`)
  })
  return yield* parse(name, text, format ?? formatOf(path))
})

/** Tasks of JSON lines as they come. */
export const lines = (
  input: Stream.Stream<Uint8Array, Failure.CommandFailed>
): Stream.Stream<unknown, Failure.CommandFailed> =>
  Stream.suspend(() => {
    let number = 0
    return Lines.split(input).pipe(
      Stream.map((line) => ({ line, number: ++number })),
      Stream.filter(({ line }) => line.trim() !== ""),
      Stream.mapEffect(({ line, number: at }) => parseJson("standard input", line, at))
    )
  })
