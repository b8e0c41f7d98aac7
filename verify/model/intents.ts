/** The intents of a store, as steps: of each the one beside the lease and its place in the index are two commands. */
import { Effect } from "effect"
import type { EndedIntent, IndexedIntent, Intent, Intents } from "../../src/services/CacheBackend.ts"
import type { Process, Work } from "./process.ts"

/** What the server has of them. Of a writer that lives none ends: one that stands still for a lease is outside of what is promised. */
export class IntentTable {
  readonly beside = new Map<string, Map<string, EndedIntent>>()
  readonly index = new Map<string, IndexedIntent>()
  #marks = 0
  mark(): string {
    return String(++this.#marks)
  }
}

const beside = <A>(key: string, label: string, run: () => A, more: Partial<Work<A>> = {}): Work<A> => ({
  slot: `i:${key}`,
  label,
  run,
  ...more
})
const inIndex = <A>(label: string, run: () => A, more: Partial<Work<A>> = {}): Work<A> => ({
  slot: "index",
  label,
  run,
  ...more
})
const name = (key: string, token: string) => `${key} ${token}`

/** Also along with a take-over. */
export const putDown = (process: Process, key: string, token: string, intent: Intent): ReadonlyArray<Work<unknown>> => {
  const { world } = process
  const { table } = world.server
  const own = world.nameToken(token, process)
  return [
    beside<unknown>(
      key,
      `${own}: put an intent down`,
      () => {
        let all = table.beside.get(key)
        if (all === undefined) table.beside.set(key, (all = new Map()))
        all.set(token, { key, token, text: table.mark(), intent })
      },
      { needsRoom: true }
    ),
    inIndex<unknown>(
      `${own}: put it into the index`,
      () => table.index.set(name(key, token), { key, token, mark: table.mark() }),
      { needsRoom: true }
    )
  ]
}

export const intentsOf = (process: Process): Intents => {
  const { world } = process
  const { table } = world.server
  const own = (token: string): string => world.nameToken(token, process)
  const hasEnded = ({ token }: { readonly token: string }): boolean => world.holderOf(token)?.alive !== true

  return {
    put: (key, token, intent) => Effect.as(process.send(putDown(process, key, token, intent)), true),
    renew: (key, token) =>
      process.one(beside(key, `${own(token)}: renew the intent`, () => table.beside.get(key)?.has(token) === true)),
    drop: (all) =>
      Effect.asVoid(
        process.send<unknown>(
          all.flatMap(({ key, token }) => [
            beside(key, `${own(token)}: drop the intent`, () => table.beside.get(key)?.delete(token)),
            inIndex(`${own(token)}: drop it from the index`, () => table.index.delete(name(key, token)))
          ])
        )
      ),
    ended: (key) =>
      process.one(
        beside(key, `intents beside ${key} that have ended`, () =>
          [...(table.beside.get(key)?.values() ?? [])].filter(hasEnded)
        )
      ),
    settle: ({ key, text, token }) =>
      process.one(
        beside(key, `settle the intent of ${world.tokenName(token)}`, () => {
          const there = table.beside.get(key)?.get(token)
          return there?.text === text && table.beside.get(key)!.delete(token)
        })
      ),
    sweep: (everyMillis) =>
      process.one(
        inIndex("sweep", () => ({ found: [...table.index.values()].filter(hasEnded), waitMillis: everyMillis }))
      ),
    forget: (found) =>
      process.one(
        inIndex("forget what was found", () => {
          for (const { key, mark, token } of found) {
            if (table.beside.get(key)?.has(token) === true) continue
            if (table.index.get(name(key, token))?.mark === mark) table.index.delete(name(key, token))
          }
        })
      )
  }
}
