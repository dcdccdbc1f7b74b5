import * as Lifecycle from "./Lifecycle.ts"

/** Nothing new starts. */
export const pause = Lifecycle.make("pause", "Start no more tasks; what runs goes on", {
  act: (client, id) => client.pauseSuite(id),
  waits: false
})
