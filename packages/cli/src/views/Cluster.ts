/** How coordinators are shown, and where suites are. */
import type { CoordinatorView, PlacedSuite } from "@muster/domain/Cluster/View"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"

/** A coordinator that was not heard of for so long has missed at least two times. Milliseconds. */
const silentAfter = 2_500

const stateOf = ({ healthy, silentFor }: CoordinatorView) =>
  silentFor > silentAfter ? "silent" : healthy ? "healthy" : "unreachable"

const leads = ({ leads: { managers, pools, suites } }: CoordinatorView) =>
  [...pools.map((pool) => `pool ${pool}`), Show.plural(suites, "suite"), Show.plural(managers, "manager")].join(", ")

export const coordinators: View<CoordinatorView> = {
  id: ({ address }) => address,
  columns: [
    { header: "COORDINATOR", value: ({ address }) => address },
    { header: "STATE", value: stateOf, isState: true },
    { header: "URL", value: ({ url }) => url ?? "", dispensable: 3 },
    { header: "SHARDS", value: ({ shards }) => String(shards.length), align: "right" },
    { header: "LEADS", value: leads },
    { header: "SINCE", value: ({ shardsSince }) => Show.instant(shardsSince) },
    { header: "SEEN", value: ({ silentFor }) => `${Show.duration(silentFor)} ago`, dispensable: 2 },
    { header: "STARTED", value: ({ startedAt }) => Show.instant(startedAt), dispensable: 4 },
    { header: "VERSION", value: ({ version }) => version ?? "", dispensable: 5 }
  ]
}

export const suites: View<PlacedSuite> = {
  id: ({ id }) => id,
  columns: [
    { header: "SUITE", value: ({ id }) => id },
    { header: "NAME", value: ({ name }) => name ?? "", shrinks: true, dispensable: 1 },
    { header: "STATE", value: ({ state }) => state, isState: true },
    { header: "SHARD", value: ({ shard }) => String(shard), align: "right" },
    { header: "COORDINATOR", value: ({ coordinator }) => coordinator ?? "" },
    { header: "SINCE", value: ({ since }) => Show.instant(since) }
  ]
}
