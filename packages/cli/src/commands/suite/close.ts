import * as Lifecycle from "./Lifecycle.ts"

/** No more tasks. */
export const close = Lifecycle.make("close", "Take no more tasks; the suite is complete when the last one is settled", {
  act: (client, id) => client.closeSuite(id),
  waits: true
})
