/**
 * What queries answer about the cluster: which coordinators there are, and which of them leads what.
 */
import { Schema } from "effect"
import { Instant } from "../Suite/View.ts"
import { SuiteId } from "../Suite/Id.ts"
import { SuiteState } from "../Suite/Spec.ts"

export const CoordinatorView = Schema.Struct({
  /** Under which other coordinators reach it; its name within the cluster. */
  address: Schema.String,
  /** Where it serves clients and managers. Null: its name is too long to be told, or it is of another version. */
  url: Schema.NullOr(Schema.String),
  version: Schema.NullOr(Schema.String),
  /** False: the others could not reach it when they last tried. */
  healthy: Schema.Boolean,
  startedAt: Schema.NullOr(Instant),
  /** When the database last heard of it, by the database's clock. */
  seenAt: Instant,
  /** Milliseconds since then. A coordinator lets itself be heard each second; a frozen one is silent. */
  silentFor: Schema.Int,
  /** Numbers of the shards that it holds. Each actor lives in one. */
  shards: Schema.Array(Schema.Int),
  /** When its set of shards last changed: what it leads, it has led since then at least. */
  shardsSince: Schema.NullOr(Instant),
  /** Actors in its shards: pools that it plans for, suites that have work, managers that are not offline. */
  leads: Schema.Struct({ pools: Schema.Array(Schema.String), suites: Schema.Int, managers: Schema.Int })
})
export type CoordinatorView = typeof CoordinatorView.Type

/** Where the actor of a suite is. */
export const PlacedSuite = Schema.Struct({
  id: SuiteId,
  name: Schema.NullOr(Schema.String),
  state: SuiteState,
  shard: Schema.Int,
  /** Null: nobody holds its shard just now. */
  coordinator: Schema.NullOr(Schema.String),
  /** As `shardsSince` of its coordinator. */
  since: Schema.NullOr(Instant)
})
export type PlacedSuite = typeof PlacedSuite.Type

export const ClusterView = Schema.Struct({
  /** Address of the coordinator that answers. */
  answeredBy: Schema.String,
  /** By address. */
  coordinators: Schema.Array(CoordinatorView),
  /** `held` is less than `total` only while shards move. */
  shards: Schema.Struct({ total: Schema.Int, held: Schema.Int }),
  /** Suites that have work, if asked for; the newest first. */
  suites: Schema.Array(PlacedSuite),
  /** Suites that have work. More than are listed when there are very many. */
  openSuites: Schema.Int
})
export type ClusterView = typeof ClusterView.Type
