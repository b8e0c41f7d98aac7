/**
 * Many callers, one key, nothing kept: how many loads, and how long until the last caller has the value.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Group, Workload } from "../lib/workload.ts"
import type { Rushed, StampedeAnswer, StampedeSetup } from "../lib/stampedeChild.ts"

const loadMillis = 50
const callers = 1_000
/** The first stampedes of a process run code that nobody ran before, and that is being compiled on the same processors. */
const warmUps = { short: 12, full: 100 }

const subjects = [
  "the load alone",
  "effect-cache",
  "async-cache-dedupe",
  "cachified",
  "bentocache",
  "cacheable",
  "cache-manager",
  "keyv",
  "effect PersistedCache"
]

const short = ["the load alone", "effect-cache", "async-cache-dedupe", "cacheable", "bentocache"]

const group = (processes: number, subjects: ReadonlyArray<string>, rounds = 15): Group => ({
  id: `stampede/${processes}`,
  title: `${processes === 1 ? "one process" : `${processes} processes`}, 1,000 callers each`,
  unit: "ms",
  clock: "wall",
  floor: "the load alone",
  subjects,
  params: { processes },
  rounds
})

const file = fileURLToPath(new URL("../lib/stampedeChild.ts", import.meta.url))

const answer = (child: ChildProcess): Promise<Rushed> =>
  new Promise((resolve, reject) => {
    child.once("message", (message: StampedeAnswer) => {
      if ("error" in message) reject(new Error(message.error))
      else resolve(message)
    })
    child.once("exit", (code, signal) => reject(new Error(`a process of the stampede ended (${signal ?? code})`)))
  })

/** From the moment the first process starts until the slowest caller of all has its value. */
export const stampede: Workload = {
  id: "stampede",
  title: "Stampede",
  text:
    "A load of 50 ms, a cold key, all callers at once, over Redis, in processes that have seen a hundred stampedes (twelve in the " +
    "short set). effect-cache with `stampedeProtect`, which loads " +
    "once among all processes; the others have nothing of the kind, and load once a process at best.",
  redis: true,
  groups: (mode) => (mode === "short" ? [group(4, short, 5)] : [group(1, subjects), group(4, subjects)]),
  open: async ({ group, mode, subject, url }) => {
    if (subject === "the load alone") {
      return {
        kind: "sample",
        sample: async () => {
          const startedAt = performance.now()
          await new Promise((resolve) => setTimeout(resolve, loadMillis))
          return { value: performance.now() - startedAt, facts: { loads: 1 } }
        }
      }
    }
    const processes = Number(group.params["processes"])
    const setup: StampedeSetup = { subject, url, callers, loadMillis }
    const children = Array.from({ length: processes }, () =>
      fork(file, [JSON.stringify(setup)], { execArgv: process.execArgv })
    )
    await Promise.all(children.map(answer))
    let round = 0
    const sample = async () => {
      const id = `${group.id} ${process.pid} ${round++}`
      const answers = children.map(answer)
      for (const child of children) child.send(id)
      const done = await Promise.all(answers)
      return {
        value: Math.max(...done.map(({ endedAt }) => endedAt)) - Math.min(...done.map(({ startedAt }) => startedAt)),
        facts: { loads: done.reduce((sum, { loads }) => sum + loads, 0) }
      }
    }
    for (let i = 0; i < warmUps[mode]; i++) await sample()
    return {
      kind: "sample",
      sample,
      close: async () => {
        for (const child of children) {
          child.removeAllListeners("exit")
          child.disconnect()
        }
      }
    }
  }
}
