/**
 * `ClientRpcs` as this side calls it: tasks were checked when they were handed in (`Input`), and are their own JSON.
 */
import { AdminOnly } from "@muster/domain/Rpc/Authentication"
import * as Client from "@muster/domain/Rpc/ClientRpcs"
import { trusted } from "@muster/domain/Rpc/Trusted"

const SubmitTasks = Client.SubmitTasks.setPayload(trusted<(typeof Client.SubmitTasks)["payloadSchema"]["Type"]>())

export const ClientRpcs = Client.ClientRpcs.omit("SubmitTasks").add(SubmitTasks.middleware(AdminOnly))
