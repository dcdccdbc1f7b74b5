/**
 * What stands in place of the actors where a log is only looked at: it belongs to another cluster, or to the past, and
 * nothing of it may be started again by mistake. Questions are answered from events and rows; whatever would change
 * something is refused.
 */
import { Effect, Layer } from "effect"
import { ManagerNotFound, ManagerOffline } from "@muster/domain/Manager/Errors"
import type { ManagerId } from "@muster/domain/Manager/Id"
import { SuiteStateConflict } from "@muster/domain/Suite/Errors"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { ReadinessParts } from "./Http/Readiness.ts"
import { Managers } from "./Managers.ts"
import { ClusterQueries } from "./ReadModels/ClusterQueries.ts"
import { ServerInfo } from "./Rpc/ServerInfo.ts"
import { Suites } from "./Suites.ts"

const refuse = ({ suiteId }: { readonly suiteId: SuiteId }) =>
  Effect.fail(
    new SuiteStateConflict({
      suiteId,
      state: "open for reading only here",
      allowed: "asked of the cluster that the log comes from"
    })
  )

/** A machine that the log speaks of is none of those here. */
const notHere = ({ managerId }: { readonly managerId: ManagerId }) => Effect.fail(new ManagerOffline({ managerId }))

export const layer: Layer.Layer<Suites | Managers | ReadinessParts | ClusterQueries, never, ServerInfo> =
  Layer.mergeAll(
    Layer.succeed(Suites, {
      create: refuse,
      submit: refuse,
      close: refuse,
      pause: refuse,
      resume: refuse,
      cancel: refuse,
      retry: refuse,
      cancelTasks: refuse,
      lease: refuse,
      report: refuse
    }),
    Layer.succeed(Managers, {
      drain: ({ managerId }) => Effect.fail(new ManagerNotFound({ managerId })),
      shutdown: notHere,
      readLog: notHere
    }),
    Layer.effect(
      ClusterQueries,
      Effect.map(ServerInfo, ({ coordinator }) => {
        const nobody = { coordinators: [], shards: { total: 0, held: 0 }, suites: [], openSuites: 0 }
        return { status: () => Effect.succeed({ answeredBy: coordinator, ...nobody }) }
      })
    ),
    Layer.succeed(ReadinessParts, {
      cluster: Effect.succeed({ ok: true, message: "for reading only: no actors run" }),
      projections: Effect.succeed({ ok: true, message: null })
    })
  )
