/**
 * What a coordinator says of itself.
 */
import { Context } from "effect"

export class ServerInfo extends Context.Service<
  ServerInfo,
  {
    /** Of Muster. */
    readonly version: string
    /** Its address within the cluster. */
    readonly coordinator: string
    /** ISO 8601. */
    readonly startedAt: string
  }
>()("@muster/server/Rpc/ServerInfo") {}
