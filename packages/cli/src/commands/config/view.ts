import { Effect, Stream } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import type { Setting, Settings } from "../../Settings.ts"

interface Row {
  readonly name: string
  readonly value: string | null
  readonly origin: string
  readonly detail: string | null
}

const hidden = "***"

/** A database's address without its password. */
const withoutPassword = (url: string): string => url.replace(/(:\/\/[^:/@]*):[^@]*@/, `$1:${hidden}@`)

const row = (
  name: string,
  { detail, origin, value }: Setting,
  show: (value: string) => string = (text) => text
): Row => ({
  name,
  value: value === undefined ? null : show(value),
  origin,
  detail: detail === "" ? null : detail
})

const rows = ({ databaseUrl, dataDir, output, tlsCa, token, url }: Settings): ReadonlyArray<Row> => [
  row("url", url),
  row("token", token, () => hidden),
  row("tlsCa", tlsCa),
  row("dataDir", dataDir),
  row("output", output),
  row("databaseUrl", databaseUrl, withoutPassword)
]

const view: Output.View<Row> = {
  id: ({ name }) => name,
  columns: [
    { header: "SETTING", value: ({ name }) => name },
    { header: "VALUE", value: ({ value }) => value ?? "(none)", shrinks: true },
    { header: "FROM", value: ({ detail, origin }) => (detail === null ? origin : `${origin} ${detail}`), shrinks: true }
  ]
}

const handler = Effect.fn("config.view")(function* () {
  const settings = yield* Session.settings
  yield* Output.list(settings.output.value, view, Stream.fromIterable(rows(settings)))
})

export const viewCommand = Command.make("view", {}, handler).pipe(
  Command.withDescription("Show the settings in force and where each comes from; secrets are hidden")
)
