export * from "./Coordinator/Commands.ts"
export * from "./Coordinator/Events.ts"
export * from "./Coordinator/Id.ts"
export * from "./Coordinator/State.ts"
