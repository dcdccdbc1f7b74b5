import { Context } from "effect"
import type { Setting } from "@muster/domain/Doctor/Coordinators"

/** The settings of this coordinator with where each came from, for whoever asks; none where nobody has said them. */
export const OwnSettings: Context.Reference<ReadonlyArray<Setting>> = Context.Reference(
  "@muster/server/Doctor/OwnSettings",
  { defaultValue: (): ReadonlyArray<Setting> => [] }
)
