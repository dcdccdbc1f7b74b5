import { Context } from "effect"
import type * as Profile from "@muster/client/Profile"

/** Environment variables, read in one place so that tests can bring their own. */
export const Environment: Context.Reference<Profile.Environment> = Context.Reference("@muster/cli/Environment", {
  defaultValue: () => process.env
})
