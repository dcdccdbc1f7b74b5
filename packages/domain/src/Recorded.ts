/**
 * A stored event: what happened (`type`, `data`) in its envelope.
 */
import { Schema } from "effect"
import { Timestamp } from "./Millis.ts"

/** Who caused an event, and as part of what. */
export const Metadata = Schema.Struct({
  /** Who asked: `admin`, `manager:<id>`, `coordinator`, … */
  actor: Schema.String,
  /** The command that this event answers; the same id again is answered from here and appends nothing. */
  commandId: Schema.optionalKey(Schema.String),
  /** The request or message that started the chain of which this is a part. */
  correlationId: Schema.optionalKey(Schema.String),
  /** Version of the shape of `data`; upcasters bring older ones up to date when they are read. */
  schemaVersion: Schema.Int
})
export type Metadata = typeof Metadata.Type

/** An event as it stands in the log. */
export const Recorded = Schema.Struct({
  /** Place in the whole log: rises with time of append, may have gaps. */
  position: Schema.Int,
  /** `suite-<id>`, `manager-<id>`, `worker-<id>` or `coordinator-<pool>`. */
  stream: Schema.String,
  /** Place in its stream, from 1 without gaps. */
  version: Schema.Int,
  type: Schema.String,
  data: Schema.Json,
  metadata: Metadata,
  recordedAt: Timestamp
})
export type Recorded = typeof Recorded.Type
