/** How stored events are shown. */
import type { Recorded } from "@muster/domain/Recorded"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"

const recordedAt = (event: Recorded) => new Date(event.recordedAt).toISOString()

/** The fields of an event that its type and its envelope do not say already, shortest form. */
const summary = ({ data }: Recorded): string => {
  const text = JSON.stringify(data, (key, value: unknown) => (key === "_tag" || key === "at" ? undefined : value))
  return text === "{}" ? "" : text
}

export const view: View<Recorded> = {
  id: ({ position }) => String(position),
  json: (event) => ({ ...event, recordedAt: recordedAt(event) }),
  columns: [
    { header: "POSITION", value: ({ position }) => String(position), align: "right" },
    { header: "STREAM", value: ({ stream }) => stream },
    { header: "VERSION", value: ({ version }) => String(version), align: "right", dispensable: 4 },
    { header: "TYPE", value: ({ type }) => type },
    { header: "RECORDED", value: (event) => Show.instant(recordedAt(event)), dispensable: 2 },
    { header: "ACTOR", value: ({ metadata }) => metadata.actor, shrinks: true, dispensable: 3 },
    { header: "DATA", value: summary, shrinks: true, dispensable: 1 }
  ]
}
