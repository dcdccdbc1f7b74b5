/**
 * What the bench uses of the peers' packages. Written down here because they are installed only when the bench runs: the
 * rest of the project is checked without them.
 */
declare module "pg" {
  export class Pool {
    constructor(options: { readonly connectionString: string; readonly max: number })
    query(sql: string): Promise<unknown>
    on(event: "error", listener: (error: Error) => void): void
    on(event: "connect", listener: (client: Pick<Pool, "on">) => void): void
  }
}

declare module "graphile-worker" {
  import type { Pool } from "pg"

  export class Logger {
    constructor(factory: () => () => void)
    scope(scope: object): Logger
  }
  export interface WorkerUtils {
    readonly migrate: () => Promise<void>
    readonly addJob: (identifier: string, payload: unknown) => Promise<unknown>
    readonly addJobs: (
      jobs: ReadonlyArray<{ readonly identifier: string; readonly payload: unknown }>
    ) => Promise<unknown>
    readonly release: () => Promise<void>
  }
  export interface Runner {
    readonly stop: () => Promise<void>
  }
  export const makeWorkerUtils: (options: { readonly pgPool: Pool; readonly logger: Logger }) => Promise<WorkerUtils>
  export const run: (options: {
    readonly pgPool: Pool
    readonly logger: Logger
    readonly concurrency: number
    readonly noHandleSignals: boolean
    readonly pollInterval: number
    readonly taskList: Readonly<Record<string, () => void>>
    readonly preset?: {
      readonly worker: {
        readonly localQueue: { readonly size: number; readonly refetchDelay: { readonly durationMs: number } }
        readonly completeJobBatchDelay: number
        readonly failJobBatchDelay: number
      }
    }
  }) => Promise<Runner>
}

declare module "pg-boss" {
  interface Job {
    readonly id: string
  }
  export default class PgBoss {
    constructor(options: { readonly connectionString: string; readonly max: number })
    on(event: "error", listener: (error: Error) => void): void
    start(): Promise<unknown>
    createQueue(name: string): Promise<void>
    insert(jobs: ReadonlyArray<{ readonly name: string; readonly data: object }>): Promise<void>
    fetch(name: string, options: { readonly batchSize: number }): Promise<ReadonlyArray<Job>>
    complete(name: string, ids: ReadonlyArray<string>): Promise<void>
    stop(options: { readonly graceful: boolean }): Promise<void>
  }
}

declare module "bullmq" {
  interface Connection {
    readonly host: string
    readonly port: number
  }
  export class Queue {
    constructor(name: string, options: { readonly connection: Connection })
    addBulk(jobs: ReadonlyArray<{ readonly name: string; readonly data: object }>): Promise<unknown>
    obliterate(options: { readonly force: boolean }): Promise<void>
  }
  export class Worker {
    constructor(
      name: string,
      run: () => Promise<void>,
      options: { readonly connection: Connection; readonly concurrency: number }
    )
    on(event: "completed", listener: () => void): void
    close(): Promise<void>
  }
}

declare module "@dbos-inc/dbos-sdk" {
  export const DBOS: {
    readonly setConfig: (config: {
      readonly name: string
      readonly systemDatabaseUrl: string
      readonly logLevel: string
      readonly runAdminServer: boolean
    }) => void
    readonly registerWorkflow: <Input, Output>(
      run: (input: Input) => Promise<Output>,
      options: { readonly name: string }
    ) => (input: Input) => Promise<Output>
    readonly startWorkflow: <Input, Output>(
      workflow: (input: Input) => Promise<Output>
    ) => (input: Input) => Promise<{ readonly getResult: () => Promise<Output> }>
    readonly launch: () => Promise<void>
  }
}
