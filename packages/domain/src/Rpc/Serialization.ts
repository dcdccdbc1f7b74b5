/**
 * How RPC messages look on every socket. Both ends must agree, so it is said once.
 */
import { RpcSerialization } from "effect/rpc"

/** Largest message in bytes: a batch of tasks at its limit, with room. */
export const maxFrameSize = 64 * 1024 * 1024

export const layer = RpcSerialization.layerSchemaBinary({ maxFrameSize })
