import { Schema } from "effect"
import type { ManagerId } from "../Manager/Id.ts"

/** `<manager id>.<slot>`: slots count from 0 and are filled again after a crash. */
export const WorkerId = Schema.String.check(
  Schema.isPattern(/^[0-9a-hjkmnp-tv-z]{16}\.\d{1,3}$/, { expected: "a worker id (<manager id>.<slot>)" })
).pipe(Schema.brand("WorkerId"))
export type WorkerId = typeof WorkerId.Type

export const workerId = (manager: ManagerId, slot: number): WorkerId => WorkerId.make(`${manager}.${slot}`)

export const stream = (id: WorkerId) => `worker-${id}`
