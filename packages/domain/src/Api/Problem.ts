/**
 * How errors look over HTTP: `{"error": {"code", "message", "details", "request_id"}}`, whatever went wrong. Inside the
 * program they stay the errors of the domain; this is only their shape on the wire, and the derived client turns them
 * back.
 */
import { Context, Effect, Schema, SchemaGetter } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { InvalidInput, TooLarge, Unauthorized, Unavailable } from "../Errors.ts"
import { ManagerNotFound, ManagerOffline } from "../Manager/Errors.ts"
import {
  SuiteAlreadyExists,
  SuiteIsCancelled,
  SuiteNotFound,
  SuiteStateConflict,
  TaskNotFound,
  TaskStateConflict
} from "../Suite/Errors.ts"
import { TaskId } from "../Suite/Id.ts"

/** Names the request in its answer (`x-request-id`), in errors and in the log. Empty outside of a request. */
export const RequestId: Context.Reference<string> = Context.Reference("@muster/domain/Api/RequestId", {
  defaultValue: () => ""
})

/** An error as it stands in a response's body. */
export interface Problem {
  readonly error: {
    /** Stable name of the error, for programs. */
    readonly code: string
    /** For people. */
    readonly message: string
    /** What the error names: field, value, allowed, ids. */
    readonly details: unknown
    readonly request_id: string
  }
}

type ErrorFields = Readonly<Record<string, Schema.Codec<unknown, unknown>>>

/** What the classes of `Schema.TaggedError` have in common. */
interface ErrorClass<
  Tag extends string,
  A extends { readonly _tag: Tag; readonly message: string }
> extends Schema.Codec<A, { readonly _tag: Tag }> {
  readonly fields: ErrorFields
  readonly identifier: string
}

/** The schema of an error's body, with the error's status. */
export type ProblemSchema<A> = Schema.Codec<A, Problem>

/** The schema of an error's body. It decodes to the error itself and keeps its status. */
const problem = <Tag extends string, A extends { readonly _tag: Tag; readonly message: string }>(
  errorClass: ErrorClass<Tag, A>,
  description: string
): ProblemSchema<A> => {
  const code = errorClass.identifier
  const { _tag: _code, ...fields } = errorClass.fields
  const encode = Schema.encodeSync(errorClass)
  const decode = Schema.decodeUnknownEffect(errorClass)
  return Schema.Struct({
    error: Schema.Struct({
      code: Schema.Literal(code),
      message: Schema.String,
      details: Schema.Struct(fields),
      request_id: Schema.String
    })
  })
    .annotate({ identifier: `${code}Problem`, description })
    .pipe(
      Schema.decodeTo(Schema.toType(errorClass), {
        decode: SchemaGetter.transformEffect(({ error }) =>
          decode({ _tag: error.code, ...error.details }).pipe(Effect.mapError((cause) => cause.issue))
        ),
        encode: SchemaGetter.transformEffect((error: A) =>
          Effect.map(RequestId, (requestId) => {
            const { _tag, ...details } = encode(error)
            return { error: { code: _tag, message: error.message, details, request_id: requestId } }
          })
        )
      }),
      HttpApiSchema.status(Schema.resolveAnnotations(errorClass)?.httpApiStatus ?? 500)
    )
}

/** The output of an attempt is not there: nothing has run yet, or its machine has thrown it away. */
export class LogNotFound extends Schema.TaggedError<LogNotFound>()(
  "LogNotFound",
  { taskId: TaskId, reason: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `there is no log of task ${this.taskId}: ${this.reason}`
  }
}

/** Whether a part of the coordinator can do its work, and if not, why. */
export const PartStatus = Schema.Struct({ ok: Schema.Boolean, message: Schema.NullOr(Schema.String) })
export type PartStatus = typeof PartStatus.Type

/** The coordinator cannot serve now. */
export class NotReady extends Schema.TaggedError<NotReady>()(
  "NotReady",
  { parts: Schema.Record(Schema.String, PartStatus) },
  { httpApiStatus: 503 }
) {
  override get message() {
    const failing = Object.entries(this.parts).filter(([, part]) => !part.ok)
    return `not ready: ${failing.map(([name, part]) => `${name} (${part.message ?? "failed"})`).join(", ")}`
  }
}

export const InvalidInputProblem = problem(InvalidInput, "A field is missing, wrong or unknown. Nothing was stored.")
export const UnauthorizedProblem = problem(Unauthorized, "The token is missing, wrong or not allowed to do this.")
export const UnavailableProblem = problem(
  Unavailable,
  "It could not be done now. The same request may be sent again: with the same `Idempotency-Key` it is done once."
)
export const TooLargeProblem = problem(TooLarge, "The request is over a limit. Nothing was stored.")
export const SuiteNotFoundProblem = problem(SuiteNotFound, "There is no such suite.")
export const SuiteAlreadyExistsProblem = problem(SuiteAlreadyExists, "There is a suite with this id already.")
export const SuiteIsCancelledProblem = problem(SuiteIsCancelled, "The suite is cancelled, which is final.")
export const SuiteStateConflictProblem = problem(SuiteStateConflict, "The suite's state does not allow it.")
export const TaskNotFoundProblem = problem(TaskNotFound, "There is no such task.")
export const TaskStateConflictProblem = problem(TaskStateConflict, "The task's state does not allow it.")
export const LogNotFoundProblem = problem(LogNotFound, "There is no output to read.")
export const ManagerNotFoundProblem = problem(ManagerNotFound, "There is no such manager.")
export const ManagerOfflineProblem = problem(ManagerOffline, "The manager is not connected, so it cannot be asked.")
export const NotReadyProblem = problem(NotReady, "A part of the coordinator cannot do its work.")

/** What any command to a suite may be refused with. */
export const suiteCommandProblems = [
  SuiteNotFoundProblem,
  TaskNotFoundProblem,
  SuiteAlreadyExistsProblem,
  SuiteIsCancelledProblem,
  SuiteStateConflictProblem,
  TaskStateConflictProblem,
  TooLargeProblem,
  UnavailableProblem
] as const

/** Codes of what is answered before any endpoint was found. */
export type OutsideCode =
  | "NotFound"
  | "Forbidden"
  | "MethodNotAllowed"
  | "UnsupportedMediaType"
  | "TooManyRequests"
  | "InternalError"

/** Builds a body for what is not an error of the domain. */
export const make = (code: OutsideCode, message: string, details: unknown, requestId: string): Problem => ({
  error: { code, message, details, request_id: requestId }
})
