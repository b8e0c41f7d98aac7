/**
 * A process of a stampede: told an id, it asks for it many times at once.
 */
import { Effect } from "effect"
import { loader } from "./items.ts"
import { prefixOf } from "./readers.ts"
import { makeReader } from "./subject.ts"

export interface StampedeSetup {
  readonly subject: string
  readonly url: string
  readonly callers: number
  readonly loadMillis: number
}

/** Times are of the machine's clock, which all its processes share. */
export interface Rushed {
  readonly startedAt: number
  readonly endedAt: number
  readonly loads: number
}

export type StampedeAnswer = Rushed | { readonly error: string }

const setup: StampedeSetup = JSON.parse(process.argv[2]!)
const send = (answer: StampedeAnswer) => process.send!(answer)
const now = () => performance.timeOrigin + performance.now()

const made = loader(150, setup.loadMillis)
const reader = await makeReader("redis", setup.subject, {
  entries: 10_000,
  loader: made,
  prefix: prefixOf(`${setup.subject} stampede`),
  protect: true,
  tags: [],
  url: setup.url
})

const rush = (id: string): Promise<ReadonlyArray<any>> =>
  reader.get !== undefined
    ? Promise.all(Array.from({ length: setup.callers }, () => reader.get!(id)))
    : reader.run!(
        Effect.all(
          Array.from({ length: setup.callers }, () => reader.effect!(id)),
          { concurrency: "unbounded" }
        )
      )

process.on("message", (id: string) => {
  const loads = made.loads
  const startedAt = now()
  rush(id).then(
    (values) => {
      const endedAt = now()
      if (values.some((value) => value?.id !== id)) send({ error: `${setup.subject} gave another value` })
      else send({ startedAt, endedAt, loads: made.loads - loads })
    },
    (error: unknown) => send({ error: `${setup.subject}: ${String(error)}` })
  )
})
process.on("disconnect", () => process.exit())
send({ startedAt: 0, endedAt: 0, loads: 0 })
