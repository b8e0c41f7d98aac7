/**
 * Acceptance of `keyOf`: a row is created while others write, invalidate and read it, in random orders. `CREATE_ROUNDS` says how
 * many rounds; 10,000 are a minute on Redis.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schema, type Scope } from "effect"
import { cacheAside, CacheClient, CacheRegion, invalidateTags, writeThrough } from "../../src/index.ts"
import type { Client } from "../support/client.ts"
import { type Dice, diceOf } from "../support/dice.ts"

const Row = Schema.Struct({ id: Schema.String, version: Schema.Number })
type Row = typeof Row.Type
type Id = { readonly id: string }

const Rows = CacheRegion.make({ key: "row:{id}", schema: Row, ttl: "10 minutes", tags: ["rows"] })

type Change = (id: Id) => Effect.Effect<Row, unknown, CacheClient>

interface Table {
  readonly dice: Dice
  /** The committed version of each row. */
  readonly rows: Map<string, number>
  readonly commit: (id: Id) => Effect.Effect<Row>
  readonly get: (id: Id) => Effect.Effect<Row, unknown, CacheClient>
}

/** Others get their turn so many times, which here is as long as a trip, or not. */
const aWhile = (dice: Dice) => Effect.replicateEffect(Effect.yieldNow, dice.below(12), { discard: true })

const makeTable = (dice: Dice): Table => {
  const rows = new Map<string, number>()
  const around = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => Effect.tap(Effect.andThen(aWhile(dice), self), () => aWhile(dice)))
  return {
    dice,
    rows,
    commit: ({ id }) =>
      around(
        Effect.sync(() => {
          const version = (rows.get(id) ?? 0) + 1
          rows.set(id, version)
          return { id, version }
        })
      ),
    get: cacheAside(Rows)(({ id }: Id) => around(Effect.sync(() => ({ id, version: rows.get(id) ?? 0 }))))
  }
}

/** Rounds in which a read was older than what was acknowledged before it. */
const stale = (
  rounds: number,
  seed: number,
  [a, b]: readonly [Client, Client],
  createOf: (table: Table) => Change
): Effect.Effect<number> =>
  Effect.gen(function*() {
    const dice = diceOf(seed)
    const table = makeTable(dice)
    const { commit, get, rows } = table
    const create = createOf(table)
    const update = writeThrough(Rows)(commit)
    const invalidating = (id: Id) => Effect.tap(commit(id), invalidateTags(["rows"]))
    const round = Effect.fnUntraced(function*(number: number) {
      const id = { id: `${seed}:${number}` }
      let acknowledged = 0
      let wrong = false
      const changing = (client: Client, change: Change) =>
        Effect.andThen(
          aWhile(dice),
          Effect.map(client.run(change(id)), ({ version }) => {
            acknowledged = Math.max(acknowledged, version)
          })
        )
      // What was committed and not acknowledged yet may be read or not.
      const reading = (client: Client) =>
        Effect.andThen(
          aWhile(dice),
          Effect.suspend(() => {
            const least = acknowledged
            return Effect.map(client.run(get(id)), ({ version }) => {
              if (version < least) wrong = true
            })
          })
        )
      const updates = [changing(b, update), changing(dice.pick([a, b]), dice.pick([update, invalidating]))]
      const actors = [changing(a, create), ...updates.slice(dice.below(2)), reading(a), reading(b)]
      yield* Effect.all(actors, { concurrency: "unbounded", discard: true })
      for (const client of [a, b]) {
        if ((yield* client.run(get(id))).version !== rows.get(id.id)) wrong = true
      }
      return wrong
    })
    const numbers = Array.from({ length: rounds }, (_, i) => i)
    const found = yield* Effect.forEach(numbers, round, { concurrency: 16 })
    return found.filter(Boolean).length
  }).pipe(Effect.orDie)

const keyOf = ({ id }: Row) => ({ id })

/** As it is, and as one would write it without the rule: what was created is stored. */
export const creates = (clients: Effect.Effect<readonly [Client, Client], unknown, Scope.Scope>): void => {
  const rounds = Number(process.env["CREATE_ROUNDS"] ?? 100)

  it.live(
    "a row that is created while others write it is never read older than it is",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const both = yield* clients
          const table = ({ commit }: Table) => writeThrough(Rows, { keyOf })(commit)
          assert.strictEqual(yield* stale(rounds, 1, both, table), 0)
        })
      ),
    600_000
  )

  it.live(
    "a created row that is stored is found",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const both = yield* clients
          const storing =
            ({ commit, dice }: Table): Change =>
            (id) =>
              Effect.tap(commit(id), (row) =>
                Effect.andThen(
                  aWhile(dice),
                  CacheClient.use((client) => client.set(`row:${row.id}`, row, { schema: Row, tags: ["rows"] }))
                )
              )
          let found = 0
          for (let seed = 2; found === 0 && seed < 40; seed++) found = yield* stale(100, seed, both, storing)
          assert.isAbove(found, 0)
        })
      ),
    60_000
  )
}
