/**
 * What a schema has against a value, for a log that others read: where, and what was expected. Nothing of the value is in
 * it: no input, no name of a property that the schema does not declare (a record is keyed by data), and no words that a
 * function of the schema may have made of the value.
 */
import { Schema, SchemaAST, SchemaIssue } from "effect"

/** What is shown of an issue that has many parts. */
const maxProblems = 3
const maxText = 300

/** One line, or `undefined` for what is no issue. Never throws. */
export const issueText = (cause: unknown): string | undefined => {
  try {
    const issue = Schema.isSchemaError(cause) ? cause.issue : cause
    if (!SchemaIssue.isIssue(issue)) return undefined
    const problems: Array<string> = []
    walk(issue, undefined, "", undefined, problems)
    const shown = problems.slice(0, maxProblems).join("; ")
    return problems.length > maxProblems ? `${shown}; and more` : shown
  } catch {
    // As deep as the value is, which is what may have been wrong with it.
    return "an issue that cannot be shown"
  }
}

/** Something of a schema, on one line. */
const cut = (text: string): string => {
  // oxlint-disable-next-line no-control-regex
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")
  return line.length > maxText ? `${line.slice(0, maxText)}...` : line
}

/** `message`: what a schema further out says of all that is wrong within. */
const walk = (
  issue: SchemaIssue.Issue,
  ast: SchemaAST.AST | undefined,
  path: string,
  message: string | undefined,
  problems: Array<string>
): void => {
  if (problems.length > maxProblems) return
  switch (issue._tag) {
    case "Filter":
      return walk(issue.issue, ast, path, message ?? messageOf(issue), problems)
    case "Encoding":
      return walk(issue.issue, issue.ast, path, message, problems)
    case "Pointer": {
      let at = ast
      let longer = path
      for (const step of issue.path) {
        const part = partOf(at, step)
        longer += part.name
        at = part.ast
      }
      return walk(issue.issue, at, longer, message, problems)
    }
    case "Composite":
    case "AnyOf":
      if (issue._tag === "Composite" || issue.issues.length > 0) {
        for (const one of issue.issues) walk(one, issue.ast, path, message, problems)
        return
      }
  }
  problems.push(cut((message ?? messageOf(issue)) + (path === "" ? "" : ` at ${path}`)))
}

/** A step into a value: shown if the schema declares it, or if it is a place in a list. */
const partOf = (
  ast: SchemaAST.AST | undefined,
  step: PropertyKey
): { readonly name: string; readonly ast: SchemaAST.AST | undefined } => {
  if (typeof step === "number") return { name: `[${step}]`, ast: undefined }
  const found =
    ast !== undefined && SchemaAST.isObjects(ast) ? ast.propertySignatures.find(({ name }) => name === step) : undefined
  return found === undefined
    ? { name: "[*]", ast: undefined }
    : { name: `[${typeof step === "string" ? JSON.stringify(step) : "a symbol"}]`, ast: found.type }
}

/** In words that the schema was made with. */
const messageOf = (issue: SchemaIssue.Issue): string => {
  switch (issue._tag) {
    case "Filter": {
      const { annotations } = issue.filter
      if (typeof annotations?.["message"] === "string") return annotations["message"]
      const expected = typeof annotations?.expected === "string" ? annotations.expected : expectedOf(issue.issue)
      return expected === undefined ? "a check says no" : `Expected ${expected}`
    }
    case "InvalidType":
    case "AnyOf":
      // Without the input, which a schema may ask to be reported.
      return SchemaIssue.defaultLeafHook(new SchemaIssue.InvalidType(issue.ast))
    case "InvalidValue":
      return `Expected ${expectedOf(issue) ?? "a valid value"}`
    case "MissingKey":
      return SchemaIssue.defaultLeafHook(issue)
    case "UnexpectedKey":
      return SchemaIssue.defaultLeafHook(new SchemaIssue.UnexpectedKey(issue.ast, undefined))
    case "OneOf":
      return "Expected exactly one member to match"
    default:
      return "Forbidden operation"
  }
}

const expectedOf = (issue: SchemaIssue.Issue): string | undefined => {
  const expected = issue._tag === "InvalidValue" ? issue.annotations?.expected : undefined
  return typeof expected === "string" ? expected : undefined
}
