export * from "./Task/Attempt.ts"
export * from "./Task/Spec.ts"
