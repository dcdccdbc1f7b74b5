import { Schema } from "effect"
import { WorkerId } from "./Id.ts"

/** For queries. Nothing that a manager says of its workers is refused. */
export class WorkerNotFound extends Schema.TaggedError<WorkerNotFound>()(
  "WorkerNotFound",
  { workerId: WorkerId },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `there is no worker ${this.workerId}`
  }
}
