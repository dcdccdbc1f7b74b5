/**
 * The client for programs that do not use Effect: promises and async iterables.
 *
 * ```ts
 * await using muster = await Muster.connect()
 * const suite = await muster.createSuite({ name: "hashes" })
 * await suite.submit([{ program: "sha256sum", args: ["README.md"] }])
 * await suite.close()
 * for await (const result of suite.results()) console.log(result.stdout)
 * ```
 *
 * Promises are rejected with the same typed errors that `MusterClient` fails with; each has a `_tag` and a one-line
 * `message`.
 */
import { Effect, ManagedRuntime, Stream } from "effect"
import type { Duration } from "effect"
import type { TaskExplanation } from "@muster/domain/Explanation/View"
import type { Handler } from "@muster/domain/Handler"
import { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import type { CancelMode } from "@muster/domain/Suite/Spec"
import type { SuiteDetail, SuiteView, TaskDetail, TaskResult, TaskView } from "@muster/domain/Suite/View"
import type { Options as SubmitOptions, Submitted } from "./Batches.ts"
import type { HandlerResult, Settings } from "./Handlers.ts"
import * as Input from "./Input.ts"
import type { Options as LogOptions } from "./Logs.ts"
import { MusterClient } from "./MusterClient.ts"
import type { Options, Query, SuiteInput, TaskInput } from "./MusterClient.ts"
import * as Profile from "./Profile.ts"

type Runtime = ManagedRuntime.ManagedRuntime<MusterClient, unknown>
type Client = MusterClient["Service"]

/** Items there already or still coming. */
export type Items<A> = Iterable<A> | AsyncIterable<A>

const decodeSuiteId = Input.decode(SuiteId, "suite id")
const decodeTaskId = Input.decode(TaskId, "task id")

/** What a caller's own iterable throws is the caller's: it comes out as it is. */
const fromItems = <A>(items: Items<A>): Iterable<A> | Stream.Stream<A, unknown> =>
  Symbol.asyncIterator in items ? Stream.fromAsyncIterable(items, (error) => error) : items

/** A suite that tasks can be given to and that can be followed. */
export class Suite {
  readonly id: SuiteId
  readonly #runtime: Runtime

  constructor(runtime: Runtime, id: SuiteId) {
    this.#runtime = runtime
    this.id = id
  }

  #run<A, E>(use: (client: Client) => Effect.Effect<A, E>): Promise<A> {
    return this.#runtime.runPromise(MusterClient.use(use))
  }

  #iterate<A, E>(use: (client: Client) => Stream.Stream<A, E>): AsyncIterable<A> {
    return iterate(this.#runtime, use)
  }

  /** The suite as it is now. */
  get(): Promise<SuiteDetail> {
    return this.#run((client) => client.getSuite(this.id))
  }

  /** Sends tasks in batches; resolves when all are durable. */
  submit(tasks: Items<TaskInput>, options?: SubmitOptions): Promise<Submitted> {
    return this.#run((client) => client.submit(this.id, fromItems(tasks), options))
  }

  /** A task of a typed handler for each input. */
  submitInputs<Name extends string, In, Output, Failure>(
    handler: Handler<Name, In, Output, Failure>,
    inputs: Items<In>,
    options?: SubmitOptions & { readonly settings?: Settings }
  ): Promise<Submitted> {
    return this.#run((client) => client.submitInputs(this.id, handler, fromItems(inputs), options))
  }

  /** No more tasks: the suite is complete when the last one is settled. */
  close(): Promise<SuiteView> {
    return this.#run((client) => client.closeSuite(this.id))
  }

  pause(): Promise<SuiteView> {
    return this.#run((client) => client.pauseSuite(this.id))
  }

  resume(): Promise<SuiteView> {
    return this.#run((client) => client.resumeSuite(this.id))
  }

  /** Ends the suite for good; resolves with the number of tasks that this cancelled. */
  async cancel(options?: { readonly mode?: CancelMode; readonly reason?: string }): Promise<number> {
    return (await this.#run((client) => client.cancelSuite(this.id, options))).cancelledTasks
  }

  /** Puts settled tasks back into the queue; resolves with their number. */
  async retry(tasks: "failed" | ReadonlyArray<number> = "failed"): Promise<number> {
    return (await this.#run((client) => client.retryTasks(this.id, tasks))).retriedTasks
  }

  /** The suite now and after each change, until nothing is pending. */
  watch(options?: { readonly interval?: number }): AsyncIterable<SuiteView> {
    return this.#iterate((client) => client.watch(this.id, options))
  }

  /** Each settled task once, until nothing is pending. */
  results(options?: { readonly follow?: boolean }): AsyncIterable<TaskResult> {
    return this.#iterate((client) => client.results(this.id, options))
  }

  /** What the tasks of a typed handler came to. */
  handlerResults<Name extends string, In, Output, Failure>(
    handler: Handler<Name, In, Output, Failure>,
    options?: { readonly follow?: boolean }
  ): AsyncIterable<HandlerResult<Output, Failure>> {
    return this.#iterate((client) => client.handlerResults(this.id, handler, options))
  }

  tasks(query: Omit<Query<"ListTasks">, "suiteId"> = {}): AsyncIterable<TaskView> {
    return this.#iterate((client) => client.listTasks({ ...query, suiteId: this.id }))
  }

  /** Resolves when nothing is pending; rejects with `WaitTimedOut` when that takes longer than `timeout`. */
  wait(options?: { readonly timeout?: Duration.Input }): Promise<SuiteDetail> {
    return this.#run((client) => client.wait(this.id, options))
  }
}

const iterate = <A, E>(runtime: Runtime, use: (client: Client) => Stream.Stream<A, E>): AsyncIterable<A> => ({
  async *[Symbol.asyncIterator]() {
    const client = await runtime.runPromise(MusterClient)
    yield* Stream.toAsyncIterable(use(client))
  }
})

/** A connection to a coordinator. */
export class Muster implements AsyncDisposable {
  readonly #runtime: Runtime

  private constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /**
   * Connects, and resolves when a coordinator has accepted the token. What is not given comes from `MUSTER_URL` and
   * `MUSTER_TOKEN`, else from the profile of the data directory (`muster dev` writes it).
   */
  static async connect(options: Partial<Options> = {}): Promise<Muster> {
    const found = await Effect.runPromise(Profile.resolve(process.env, options))
    const runtime = ManagedRuntime.make(MusterClient.layer({ ...options, ...found }))
    try {
      await runtime.runPromise(MusterClient.use((client) => client.serverInfo))
    } catch (error) {
      await runtime.dispose()
      throw error
    }
    return new Muster(runtime)
  }

  async createSuite(spec?: SuiteInput): Promise<Suite> {
    const { id } = await this.#runtime.runPromise(MusterClient.use((client) => client.createSuite(spec)))
    return new Suite(this.#runtime, id)
  }

  /** A suite that exists. Whether it does is seen when it is used. */
  async suite(id: string): Promise<Suite> {
    return new Suite(this.#runtime, await Effect.runPromise(decodeSuiteId(id)))
  }

  suites(query?: Query<"ListSuites">): AsyncIterable<SuiteView> {
    return iterate(this.#runtime, (client) => client.listSuites(query))
  }

  async task(id: string): Promise<TaskDetail> {
    const taskId = await Effect.runPromise(decodeTaskId(id))
    return this.#runtime.runPromise(MusterClient.use((client) => client.getTask(taskId)))
  }

  /** Why a task is in its state, now or `at` a past time: `2026-11-24T18:20:00Z`, or `10m` for ten minutes ago. */
  async explain(id: string, options?: { readonly at?: string }): Promise<TaskExplanation> {
    const taskId = await Effect.runPromise(decodeTaskId(id))
    return this.#runtime.runPromise(MusterClient.use((client) => client.explainTask(taskId, options)))
  }

  /** A task's output in parts; with `follow` also what is still to come. */
  async *logs(id: string, options?: LogOptions): AsyncIterable<Uint8Array> {
    const taskId = await Effect.runPromise(decodeTaskId(id))
    yield* iterate(this.#runtime, (client) => client.logs(taskId, options))
  }

  /** Runs a typed handler once on a machine of the cluster. Rejects with the failure that it declares. */
  runHandler<Name extends string, In, Output, Failure>(
    handler: Handler<Name, In, Output, Failure>,
    input: In,
    options?: { readonly settings?: Settings; readonly suite?: SuiteInput }
  ): Promise<Output> {
    return this.#runtime.runPromise(MusterClient.use((client) => client.runHandler(handler, input, options)))
  }

  /** Closes the connection. Suites go on. */
  close(): Promise<void> {
    return this.#runtime.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
