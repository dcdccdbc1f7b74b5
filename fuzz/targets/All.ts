import type { Target } from "../Target.ts"
import * as Http from "./Http.ts"
import * as InProcess from "./InProcess.ts"
import * as Sockets from "./Sockets.ts"
import * as Worker from "./Worker.ts"

export const targets: ReadonlyArray<Target> = [
  Sockets.clients,
  Sockets.managers,
  Http.http,
  Worker.workerSocket,
  Worker.launcher,
  InProcess.packed,
  InProcess.profile,
  InProcess.taskFiles,
  InProcess.journal
]
