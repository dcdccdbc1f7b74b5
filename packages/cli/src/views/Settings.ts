/** How the settings of this command are shown. Secrets are not. */
import type { View } from "../Output.ts"
import type { Setting, Settings } from "../Settings.ts"

export interface Row {
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

export const rows = ({ databaseUrl, dataDir, output, tlsCa, token, url }: Settings): ReadonlyArray<Row> => [
  row("url", url),
  row("token", token, () => hidden),
  row("tlsCa", tlsCa),
  row("dataDir", dataDir),
  row("output", output),
  row("databaseUrl", databaseUrl, withoutPassword)
]

export const view: View<Row> = {
  id: ({ name }) => name,
  columns: [
    { header: "SETTING", value: ({ name }) => name },
    { header: "VALUE", value: ({ value }) => value ?? "(none)", shrinks: true },
    { header: "FROM", value: ({ detail, origin }) => (detail === null ? origin : `${origin} ${detail}`), shrinks: true }
  ]
}
