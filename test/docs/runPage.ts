/**
 * Runs the programs of a page, one after the other, each as it stands, and tells what each printed and threw.
 *
 *   node --conditions=effect-cache-source test/docs/runPage.ts <module> ...
 *
 * A page has a process of its own and not each program, because to load Effect takes longer than most of them.
 */
import { writeSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { format } from "node:util"

/** What became of a program. */
export interface Ran {
  readonly printed: string
  /** The stack of what it threw. */
  readonly thrown: string | undefined
}

for (const path of process.argv.slice(2)) {
  let printed = ""
  console.log = (...args: ReadonlyArray<unknown>) => {
    printed += `${format(...args)}\n`
  }
  let thrown: string | undefined
  try {
    await import(pathToFileURL(path).href)
  } catch (error) {
    thrown = error instanceof Error ? `${error.stack}` : `a program threw ${format(error)}`
  }
  const ran: Ran = { printed, thrown }
  writeSync(1, `${JSON.stringify(ran)}\n`)
}
// What a program left open is not waited for.
process.exit(0)
