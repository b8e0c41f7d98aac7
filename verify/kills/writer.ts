/**
 * A process that makes one write-through, and is dead before the step that it was told.
 *
 * A step is what may be seen from outside or changes something: what is sent to the server, what arrives from it, and the write with its
 * commit. So between any two of them there is a moment at which the process may die.
 */
import * as fs from "node:fs"
import * as net from "node:net"
import { Effect, ManagedRuntime } from "effect"
import { invalidateTags, writeThrough } from "../../src/index.ts"
import { startMicros } from "../histories/world.ts"
import {
  acknowledged,
  type ClientOptions,
  clientLayer,
  commit,
  dead,
  lists,
  pagesOf,
  regions,
  stepsFile,
  tagOf
} from "./world.ts"

export interface WriterOptions extends ClientOptions {
  readonly folder: string
  readonly id: string
  /** It dies before this step; `undefined`: not at all. */
  readonly dieAt: number | undefined
  /** How long the write takes, before its commit and after it. */
  readonly writeMillis: number
  /** Whether what it is going to invalidate is put down. */
  readonly intent: boolean
}

const options = JSON.parse(process.argv[2]!) as WriterOptions
const { dieAt, folder, id, intent, writeMillis } = options

let isWriting = false
let steps = 0
/** On disk before it is done: a process that is killed says nothing any more. */
const say = (line: string) => fs.appendFileSync(stepsFile(folder, id), line + "\n")
const step = (name: string) => {
  if (!isWriting) return
  say(name)
  if (steps++ !== dieAt) return
  say(`${dead} ${startMicros()}`)
  process.kill(process.pid, "SIGKILL")
}

/** The names of the commands in what is sent. */
const commandsIn = (data: unknown): string => {
  const found = String(data).matchAll(/(?:^|\r\n)\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)
  return [...found].map(([, name]) => name!.toUpperCase()).join(" ")
}

type Method = (this: net.Socket, ...args: Array<unknown>) => unknown
/** Does something before a method of every socket. */
const before = (name: "write" | "push", act: (data: unknown) => void) => {
  const sockets = net.Socket.prototype as unknown as Record<string, Method>
  const method = sockets[name]!
  sockets[name] = function (...args) {
    act(args[0])
    return method.apply(this, args)
  }
}
before("write", (data) => step(`send ${commandsIn(data)}`))
before("push", () => step("a reply"))

const save = writeThrough(regions.row, {
  invalidateTags: lists.map((list) => tagOf(id, list)),
  invalidatePatterns: [pagesOf(id)],
  intent
})((params: { readonly id: string }) =>
  Effect.gen(function*() {
    step("the write begins")
    yield* Effect.sleep(writeMillis)
    step("the commit")
    commit(folder, id, startMicros())
    step("what follows the commit")
    yield* Effect.sleep(writeMillis)
    step("the write ends")
    return { key: `row:${params.id}`, version: 2 }
  })
)

const runtime = ManagedRuntime.make(clientLayer(options))
// The connection is made, and what a first command brings along is done.
await runtime.runPromise(invalidateTags([`nobody's:${id}`]))
isWriting = true
await runtime.runPromise(save({ id }))
isWriting = false
say(`${acknowledged} ${startMicros()}`)
process.exit(0)
