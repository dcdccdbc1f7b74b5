/** How managers and their workers are shown. */
import type { ManagerView } from "@muster/domain/Manager/View"
import type { WorkerView } from "@muster/domain/Worker/View"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"

const stateOf = ({ draining, state }: ManagerView) => (draining ? `${state} (draining)` : state)

export const managers: View<ManagerView> = {
  id: ({ id }) => id,
  columns: [
    { header: "ID", value: ({ id }) => id },
    { header: "NAME", value: ({ name }) => name, shrinks: true },
    { header: "STATE", value: stateOf, isState: true },
    { header: "WORKERS", value: ({ workers }) => String(workers), align: "right" },
    { header: "SUITE", value: ({ suiteId }) => suiteId ?? "" },
    { header: "TAGS", value: ({ tags }) => tags.join(","), shrinks: true, dispensable: 3 },
    { header: "VERSION", value: ({ version }) => version, dispensable: 6 },
    { header: "HOST", value: ({ host }) => host.hostname, shrinks: true, dispensable: 5 },
    { header: "CONNECTED", value: ({ connectedAt }) => Show.instant(connectedAt), dispensable: 4 }
  ]
}

const liesOf = ({ at, example, kinds, total }: NonNullable<ManagerView["lies"]>) =>
  `${Show.count(total)} until ${Show.instant(at)} (${Object.entries(kinds)
    .map(([kind, count]) => `${kind} ${Show.count(count)}`)
    .join(", ")}), such as: ${example}`

export const managerFields = (manager: ManagerView): ReadonlyArray<readonly [name: string, value: string]> =>
  [
    ["id", manager.id],
    ["name", manager.name],
    ["state", stateOf(manager)],
    ["suite", manager.suiteId ?? ""],
    ["workers", String(manager.workers)],
    ["tags", manager.tags.join(", ")],
    ["labels", manager.labels.join(", ")],
    ["version", manager.version],
    [
      "host",
      `${manager.host.hostname} (${manager.host.platform}, ${Show.plural(manager.host.cpus, "processor")}, ${Show.bytes(manager.host.memory)})`
    ],
    ["session", String(manager.epoch)],
    ["connected", Show.instant(manager.connectedAt)],
    ["lies", manager.lies === undefined ? "" : liesOf(manager.lies)]
  ].flatMap(([name = "", value = ""]) => (value === "" ? [] : [[name, value] as const]))

export const workers: View<WorkerView> = {
  id: ({ id }) => id,
  columns: [
    { header: "ID", value: ({ id }) => id },
    { header: "STATE", value: ({ state }) => state, isState: true },
    { header: "PID", value: ({ pid }) => String(pid), align: "right" },
    { header: "CRASHES", value: ({ crashes }) => String(crashes), align: "right" },
    {
      header: "LAST END",
      value: ({ lastExitCode, lastSignal }) => lastSignal ?? String(lastExitCode ?? ""),
      dispensable: 3
    },
    { header: "STARTED", value: ({ startedAt }) => Show.instant(startedAt), dispensable: 2 }
  ]
}
