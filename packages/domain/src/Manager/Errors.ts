import { Schema } from "effect"
import { Epoch, ManagerId } from "./Id.ts"

export class ManagerNotFound extends Schema.TaggedError<ManagerNotFound>()(
  "ManagerNotFound",
  { managerId: ManagerId },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `there is no manager ${this.managerId}`
  }
}

/** Another process took over this manager's identity, or it was declared lost: this session is over for good. */
export class SessionFenced extends Schema.TaggedError<SessionFenced>()("SessionFenced", {
  managerId: ManagerId,
  epoch: Epoch,
  current: Epoch
}) {
  override get message() {
    return `session ${this.epoch} of manager ${this.managerId} is over; the current one is ${this.current}`
  }
}

/** The manager is not connected, so it cannot be asked. */
export class ManagerOffline extends Schema.TaggedError<ManagerOffline>()(
  "ManagerOffline",
  { managerId: ManagerId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `manager ${this.managerId} is not connected`
  }
}
