/**
 * Tells the coordinator what the manager itself is doing, in the order in which it happens: steps of its activity, workers
 * that come and go, suites that are given back. Each is repeated until it is answered, and the next waits for it.
 */
import { Context, Effect, Latch, Layer, Queue } from "effect"
import type { Activity } from "@muster/domain/Manager/Spec"
import type { WorkerChange } from "@muster/domain/Rpc/ManagerRpcs"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { CoordinatorSession } from "./CoordinatorSession.ts"

type Announcement =
  | { readonly _tag: "Activity"; readonly activity: Activity; readonly suiteId: SuiteId | null }
  | { readonly _tag: "Released"; readonly suiteId: SuiteId }
  | { readonly _tag: "Workers"; readonly changes: ReadonlyArray<WorkerChange> }

export class Announcer extends Context.Service<
  Announcer,
  {
    readonly say: (announcement: Announcement) => void
    /** Forgets what was said: it belongs to a session that is over. */
    readonly forget: Effect.Effect<void>
    /** Ends when everything that was said is answered. */
    readonly settled: Effect.Effect<void>
    /** Passes on what is said, for one session. */
    readonly run: Effect.Effect<never>
  }
>()("@muster/manager/Announcer") {}

/** More changes of workers than that say nothing that anybody could read. */
const maxChanges = 1_000

export const layer: Layer.Layer<Announcer, never, CoordinatorSession> = Layer.effect(
  Announcer,
  Effect.gen(function* () {
    const session = yield* CoordinatorSession
    const said = yield* Queue.unbounded<Announcement>()
    const isSettled = Latch.makeUnsafe(true)

    const tell = (announcement: Announcement) =>
      session
        .call((client, speaker) => {
          switch (announcement._tag) {
            case "Activity":
              return client.ChangeActivity({
                ...speaker,
                activity: announcement.activity,
                suiteId: announcement.suiteId
              })
            case "Released":
              return client.Released({ ...speaker, suiteId: announcement.suiteId })
            case "Workers":
              return client.ReportWorkers({ ...speaker, changes: announcement.changes })
          }
        })
        .pipe(
          // No repetition can change this.
          Effect.catch((error) => Effect.logError(`an announcement is refused: ${error.message}`))
        )

    return Announcer.of({
      say: (announcement) => {
        isSettled.closeUnsafe()
        Queue.offerUnsafe(said, announcement)
      },
      forget: Effect.andThen(Queue.clear(said), isSettled.open),
      settled: isSettled.await,
      run: Queue.takeAll(said).pipe(
        Effect.flatMap((announcements) => Effect.forEach(merge(announcements), tell, { discard: true })),
        Effect.andThen(Effect.suspend(() => (Queue.sizeUnsafe(said) === 0 ? isSettled.open : Effect.void))),
        Effect.forever
      )
    })
  })
)

/** Changes of workers that follow one another become one call. */
const merge = (announcements: ReadonlyArray<Announcement>): ReadonlyArray<Announcement> => {
  const merged: Array<Announcement> = []
  for (const announcement of announcements) {
    const last = merged.at(-1)
    if (announcement._tag === "Workers" && last?._tag === "Workers") {
      merged[merged.length - 1] = {
        _tag: "Workers",
        changes: [...last.changes, ...announcement.changes].slice(-maxChanges)
      }
    } else {
      merged.push(announcement)
    }
  }
  return merged
}
