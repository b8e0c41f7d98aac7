/**
 * What a run has shown, by group. A test counts as passed if it passed, which is how the figures of other caches in `docs/http.md` are
 * counted; the last line of the table leaves out those that pass for nothing, because a test that they depend on failed, as the
 * suite's own site does.
 */
import type { Kind, Results, Suite } from "./suite.ts"

interface Row {
  readonly group: string
  readonly id: string
  readonly name: string
  readonly kind: Kind
  readonly passed: boolean
  /** It passed, and so did what it depends on. */
  readonly meant: boolean
  /** What the suite says of a failure. */
  readonly message: string
}

export interface Report {
  readonly rows: ReadonlyArray<Row>
  /** Required tests that fail and are not expected to. */
  readonly unexpected: ReadonlyArray<Row>
  /** Tests that are expected to fail, and pass or do not exist. */
  readonly passing: ReadonlyArray<string>
}

const kinds: ReadonlyArray<Kind> = ["required", "optimal", "check"]

const messageOf = (result: Results[string] | undefined): string =>
  result === undefined ? "not run" : result === true ? "" : result[0] === "Assertion" ? result[1] : result.join(": ")

export const reportOf = (suite: Suite, results: Results, expected: Readonly<Record<string, string>>): Report => {
  const rows = suite.groups.flatMap(({ name: group, tests }) =>
    tests.map(({ id, kind, name }): Row => {
      const result = results[id]
      const meant = suite.holds(id, results)
      return { group, id, kind, name, passed: result === true, meant, message: messageOf(result) }
    })
  )
  const failed = rows.filter(({ kind, passed }) => kind === "required" && !passed)
  return {
    rows,
    unexpected: failed.filter(({ id }) => !Object.hasOwn(expected, id)),
    passing: Object.keys(expected).filter((id) => !failed.some((row) => row.id === id))
  }
}

/** `12/14`, or nothing where a group has none of a kind. */
const share = (rows: ReadonlyArray<Row>, kind: Kind, counts: (row: Row) => boolean): string => {
  const some = rows.filter((row) => row.kind === kind)
  return some.length === 0 ? "" : `${some.filter(counts).length}/${some.length}`
}

const line = (name: string, rows: ReadonlyArray<Row>, counts = ({ passed }: Row) => passed): string =>
  name.padEnd(60) + kinds.map((kind) => share(rows, kind, counts).padStart(10)).join("")

const told = ({ id, message, name }: Row): string => `${id}: ${name}\n      ${message}`

/** `all`: with what is not optimal. */
export const describeReport = (report: Report, expected: Readonly<Record<string, string>>, all: boolean): string => {
  const { passing, rows, unexpected } = report
  const lines = ["".padEnd(60) + kinds.map((kind) => kind.padStart(10)).join("")]
  for (const group of new Set(rows.map(({ group }) => group))) {
    lines.push(
      line(
        group,
        rows.filter((row) => row.group === group)
      )
    )
  }
  lines.push(
    line("all", rows),
    line("all whose dependencies passed", rows, ({ meant }) => meant),
    ""
  )
  for (const row of rows.filter(({ kind, passed }) => kind === "required" && !passed)) {
    const reason = expected[row.id]
    lines.push(
      reason === undefined ? `FAILS  ${told(row)}` : `fails, as expected  ${told(row)}\n      because ${reason}`
    )
  }
  if (all) {
    for (const row of rows.filter(({ kind, passed }) => kind === "optimal" && !passed))
      lines.push(`not optimal  ${told(row)}`)
  }
  if (passing.length > 0) lines.push(`passes, and is expected to fail; take it off expected.ts: ${passing.join(", ")}`)
  lines.push(`${unexpected.length} required tests fail unexpectedly`)
  return lines.join("\n")
}
