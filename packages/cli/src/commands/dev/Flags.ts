/** Where `muster dev` runs. */
import { Effect } from "effect"
import { resolve } from "node:path"
import * as Session from "../../Session.ts"

/** The data directory that these commands speak of. */
export const dataDirectory = Effect.map(Session.settings, ({ dataDir }) => resolve(dataDir.value))
