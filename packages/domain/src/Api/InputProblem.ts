/**
 * Says in one sentence what is wrong with input that a schema refused: which field, what it was, what is allowed.
 */
import { SchemaAST, SchemaIssue } from "effect"
import type { Schema } from "effect"
import { InvalidInput } from "../Errors.ts"

/**
 * How schemas have to read input for this: unknown fields are refused (a misspelt one would silently do nothing), and
 * the values stand in the issues. The first error ends it, so that input full of errors costs no more than other input.
 */
export const parseOptions: SchemaAST.ParseOptions = { errors: "first", onExcessProperty: "error", reportInput: true }

/** Longest text of a value in an error. */
const maxValueLength = 200

/** One thing that is wrong, at one place. */
interface Finding {
  readonly path: ReadonlyArray<PropertyKey>
  readonly issue: SchemaIssue.Leaf | SchemaIssue.AnyOf
  /** The checked schema's own words, where it has some. */
  readonly expected: string | undefined
  /** The schema around the place, for what is missing or too much there. */
  readonly parent: SchemaAST.AST | undefined
}

/** The error for what a schema found wrong. `root` names the whole input in front of the path, such as `tasks`. */
export const fromIssue = (issue: SchemaIssue.Issue, root = ""): InvalidInput => {
  const [first] = findings(issue, [], undefined, undefined)
  if (first === undefined) return new InvalidInput({ field: root, value: "invalid", expected: "a valid value" })
  return new InvalidInput({
    field: fieldName([root, ...first.path].filter((part) => part !== "")),
    value: valueOf(first.issue),
    expected: expectedOf(first)
  })
}

/** `["tasks", 3, "timeout"]` is `tasks[3].timeout`. */
export const fieldName = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === "number" || (typeof part === "string" && /^\d+$/.test(part))) return `${text}[${part}]`
    return text === "" ? String(part) : `${text}.${String(part)}`
  }, "")

/** A value as JSON, cut to a length that fits a message. */
export const shorten = (value: unknown): string => {
  const text = value === undefined ? "missing" : (JSON.stringify(value) ?? typeof value)
  return text.length > maxValueLength ? `${text.slice(0, maxValueLength).toWellFormed()}…` : text
}

const findings = (
  issue: SchemaIssue.Issue,
  path: ReadonlyArray<PropertyKey>,
  expected: string | undefined,
  parent: SchemaAST.AST | undefined
): ReadonlyArray<Finding> => {
  switch (issue._tag) {
    case "Filter":
      return findings(issue.issue, path, expected ?? annotatedExpectation(issue.filter.annotations), parent)
    case "Encoding":
      return findings(issue.issue, path, expected, parent)
    case "Pointer":
      return findings(issue.issue, [...path, ...issue.path], expected, parent)
    case "Composite":
      return issue.issues.flatMap((inner) => findings(inner, path, expected, issue.ast))
    case "AnyOf":
      return issue.issues.length === 0 ? [{ path, issue, expected, parent }] : likeliest(issue, issue.issues, path)
    case "Forbidden":
    case "InvalidType":
    case "InvalidValue":
    case "MissingKey":
    case "OneOf":
    case "UnexpectedKey":
      return [{ path, issue, expected, parent }]
  }
}

/**
 * Which member of a union the writer meant: the one whose required fields are there, and of these the one that knows most
 * of the fields that are there. When no member got beyond the type of the value, all of them together are what is
 * allowed.
 */
const likeliest = (
  union: SchemaIssue.AnyOf,
  members: ReadonlyArray<SchemaIssue.Issue>,
  path: ReadonlyArray<PropertyKey>
): ReadonlyArray<Finding> => {
  const found = members.map((member) => findings(member, path, undefined, undefined))
  const isWrongType = found.every(([first]) => first?.issue._tag === "InvalidType" && first.path.length === path.length)
  if (isWrongType) return [{ path, issue: union, expected: undefined, parent: undefined }]
  const likeness = members.map((member) => (SchemaIssue.hasInput(union) ? likenessTo(member, union.input) : 0))
  return found[likeness.indexOf(Math.max(...likeness))] ?? []
}

const likenessTo = (member: SchemaIssue.Issue, input: unknown): number => {
  if (member._tag === "Encoding" || member._tag === "Filter") return likenessTo(member.issue, input)
  if (member._tag !== "Composite" || !SchemaAST.isObjects(member.ast)) return 0
  if (typeof input !== "object" || input === null) return 0
  const fields = member.ast.propertySignatures
  const isThere = ({ name }: (typeof fields)[number]) => Object.hasOwn(input, name)
  const isComplete = fields.every((field) => SchemaAST.isOptional(field.type) || isThere(field))
  return fields.filter(isThere).length + (isComplete ? fields.length : 0)
}

const annotatedExpectation = (annotations: unknown): string | undefined => {
  if (typeof annotations !== "object" || annotations === null || !("expected" in annotations)) return undefined
  return typeof annotations.expected === "string" ? annotations.expected : undefined
}

const valueOf = (issue: Finding["issue"]): string => {
  if (issue._tag === "MissingKey") return "missing"
  return SchemaIssue.hasInput(issue) ? shorten(issue.input) : "invalid"
}

const expectedOf = ({ expected, issue, parent, path }: Finding): string => {
  if (expected !== undefined) return expected
  switch (issue._tag) {
    case "UnexpectedKey":
      return `no such field${knownFields(issue.ast)}`
    case "MissingKey":
      return `${expectedOfField(parent, path.at(-1)) ?? "a value"} (required)`
    case "InvalidType":
    case "AnyOf":
      return expectationOfType(issue.ast)
    case "InvalidValue":
      return annotatedExpectation(issue.annotations) ?? withoutPrefix(SchemaIssue.defaultLeafHook(issue))
    case "Forbidden":
    case "OneOf":
      return withoutPrefix(SchemaIssue.defaultLeafHook(issue))
  }
}

const withoutPrefix = (message: string): string => message.replace(/^Expected /, "")

/** JSON has no infinite numbers, and what stands for them on the wire is nobody's business. */
const standIns = ' | "Infinity" | "-Infinity" | "NaN"'

/**
 * The library's own words for a type (an issue without input is formatted as nothing but them), but not the names that we
 * have given to our own objects and lists: those say nothing to who writes JSON.
 */
const expectationOfType = (ast: SchemaAST.AST): string => {
  const encoded = SchemaAST.toEncoded(ast)
  if (SchemaAST.isArrays(encoded)) return "array"
  if (SchemaAST.isObjects(encoded)) return "object"
  if (SchemaAST.isUnion(encoded)) {
    const words = annotatedExpectation(encoded.annotations)
    if (words !== undefined) return words
    return [...new Set(encoded.types.map(expectationOfType))].join(" | ").replace(standIns, "")
  }
  return withoutPrefix(SchemaIssue.defaultLeafHook(new SchemaIssue.InvalidType(encoded)))
}

const knownFields = (ast: SchemaAST.AST): string => {
  if (!SchemaAST.isObjects(ast)) return ""
  const [names] = ast.indexSignatures
  if (names !== undefined) return `; names are ${expectationOfChecked(names.parameter)}`
  return `; known are ${ast.propertySignatures.map(({ name }) => String(name)).join(", ")}`
}

const expectedOfField = (parent: SchemaAST.AST | undefined, name: PropertyKey | undefined): string | undefined => {
  if (parent === undefined || !SchemaAST.isObjects(parent)) return undefined
  const property = parent.propertySignatures.find((candidate) => candidate.name === name)
  return property === undefined ? undefined : expectationOfChecked(property.type)
}

/** The last check says most about a value; without checks its type does. */
const expectationOfChecked = (ast: SchemaAST.AST): string =>
  annotatedExpectation(ast.checks?.at(-1)?.annotations) ?? expectationOfType(ast)

/** As `fromIssue`, for the error that decoding gives. */
export const fromSchemaError = (error: Schema.SchemaError, root?: string): InvalidInput => fromIssue(error.issue, root)
