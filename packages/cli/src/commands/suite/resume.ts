import * as Lifecycle from "./Lifecycle.ts"

/** The end of a pause. */
export const resume = Lifecycle.make("resume", "End a pause", {
  act: (client, id) => client.resumeSuite(id),
  waits: true
})
