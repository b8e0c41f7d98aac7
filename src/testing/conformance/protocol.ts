/**
 * The rules of the protocol, each as an interleaving of two processes that goes wrong without it.
 */
import { Effect, Fiber, Option, Schema, type Scope } from "effect"
import { cacheAside } from "../../patterns/cacheAside.ts"
import { invalidateKey, invalidatePattern } from "../../patterns/invalidation.ts"
import { invalidateTags } from "../../patterns/tags.ts"
import { CacheClient } from "../../services/CacheClient.ts"
import { type ConformanceGroup, evictOf, type Script } from "./case.ts"
import { expect } from "./expect.ts"
import type { Story } from "./story.ts"
import { type Gate, makeGate, type World, worldCase } from "./world.ts"

/** The table that is cached: one row a key, which holds a version. */
export class Table {
  readonly rows = new Map<string, number>()
  reads = 0
  /** Gates for the reads to come, in order; a read without one does not stop. */
  readonly gates: Array<Gate<number>> = []
  readonly #story: Story

  constructor(story: Story) {
    this.#story = story
  }

  read(id: string): Effect.Effect<number> {
    return Effect.suspend(() => {
      this.reads++
      const row = this.rows.get(id) ?? 0
      this.#story.note(`a load reads row ${id}: version ${row}`)
      return this.gates.shift()?.pass(row) ?? Effect.succeed(row)
    })
  }

  change(id: string, row: number): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#story.note(`row ${id} changes to version ${row}`)
      this.rows.set(id, row)
    })
  }
}

export const settings = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const
export type Id = { readonly id: string }

const fixture = (story: Story) => {
  const table = new Table(story)
  const load = ({ id }: Id) => table.read(id)
  return {
    table,
    plain: cacheAside(settings)(load),
    // Tags known only from the value, and so not before the load.
    tagged: cacheAside({ ...settings, tags: () => ["T"] })(load),
    gate: (who?: string) => {
      const gate = makeGate<number>(story, who)
      table.gates.push(gate)
      return gate
    }
  }
}

export const one = { id: "1" } as const

export const rule = (
  title: string,
  body: (world: World & ReturnType<typeof fixture>) => Effect.Effect<void, unknown, Scope.Scope>,
  group: ConformanceGroup = "protocol"
): Script => worldCase(group, `rule: ${title}`, (world) => body({ ...world, ...fixture(world.story) }))

/** What a process finds without a load. */
export const found = (
  peek: Effect.Effect<Option.Option<number>, unknown>
): Effect.Effect<number | undefined, unknown> => Effect.map(peek, Option.getOrUndefined)

export const protocolCases: ReadonlyArray<Script> = [
  rule(
    "fence on fill",
    Effect.fnUntraced(function*({ a, b, gate, plain, table }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      yield* b.run(invalidateKey(plain.key(one)))
      yield* middle.open
      // The caller that was there before gets what it loaded; nobody after it does.
      expect("what the caller of the load gets", yield* Fiber.join(reader)).is(0)
      expect("what is stored after the invalidation", yield* found(b.run(plain.peek(one)))).is(undefined)
      expect("a read after the invalidation", yield* a.run(plain(one))).is(1)
    })
  ),

  rule(
    "fence on fill, when another load holds the lease by then",
    Effect.fnUntraced(function*({ a, b, gate, plain, table }) {
      const older = gate("the older load")
      const newer = gate("the newer load")
      const first = yield* Effect.forkChild(a.run(plain(one)))
      yield* older.reached
      yield* table.change("1", 1)
      yield* b.run(plain.invalidate(one))
      const second = yield* Effect.forkChild(b.run(plain(one)))
      expect("the row that the newer load sees", yield* newer.reached).is(1)
      yield* older.open
      yield* Fiber.join(first)
      expect("what is stored when the older load is done", yield* found(b.run(plain.peek(one)))).is(undefined)
      yield* newer.open
      expect("what the caller of the newer load gets", yield* Fiber.join(second)).is(1)
      expect("what is stored when both are done", yield* found(a.run(plain.peek(one)))).is(1)
    })
  ),

  rule(
    "an absent lease rejects",
    Effect.fnUntraced(function*({ a, b, gate, plain, store, table }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      if (store.evict !== undefined) yield* store.evict("lease", plain.key(one))
      yield* b.run(plain.invalidate(one))
      yield* middle.open
      yield* Fiber.join(reader)
      expect("a read after the invalidation", yield* b.run(plain(one))).is(1)
    })
  ),

  rule(
    "key invalidation drops the lease",
    Effect.fnUntraced(function*({ a, b, gate, plain, table }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      yield* b.run(invalidateKey(plain.key(one)))
      // Also while the load goes on: the key is free, so a new load begins and its value is kept.
      expect("a read while the older load goes on", yield* b.run(plain(one))).is(1)
      expect("what is stored after it", yield* found(b.run(plain.peek(one)))).is(1)
      yield* middle.open
      yield* Fiber.join(reader)
      expect("a read when both are done", yield* a.run(plain(one))).is(1)
    })
  ),

  rule(
    "the epoch is read before the load",
    Effect.fnUntraced(function*({ a, b, gate, table, tagged }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(tagged(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      yield* b.run(invalidateTags(["T"]))
      yield* middle.open
      yield* Fiber.join(reader)
      expect("what is valid after the invalidation", yield* found(a.run(tagged.peek(one)))).is(undefined)
      expect("a read after the invalidation", yield* b.run(tagged(one))).is(1)
    })
  ),

  rule(
    "a missing marker is stale",
    Effect.fnUntraced(function*({ a, b, store, table, tagged }) {
      const evict = evictOf(store)
      yield* a.run(tagged(one))
      expect("what is valid after the load", yield* found(a.run(tagged.peek(one)))).is(0)
      yield* table.change("1", 1)
      yield* b.run(invalidateTags(["T"]))
      yield* evict("marker", "T")
      expect("a read after the marker was lost", yield* a.run(tagged(one))).is(1)
    }),
    "evictions"
  ),

  rule(
    "a marker is created at the current epoch",
    Effect.fnUntraced(function*({ a, b, gate, store, table, tagged }) {
      const evict = evictOf(store)
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(tagged(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      yield* b.run(invalidateTags(["T"]))
      // The marker goes, and with it what it knew; the fill creates it anew.
      yield* evict("marker", "T")
      yield* middle.open
      yield* Fiber.join(reader)
      expect("a read after the fill", yield* b.run(tagged(one))).is(1)
    }),
    "evictions"
  ),

  rule(
    "a set drops the lease",
    Effect.fnUntraced(function*({ a, b, gate, plain }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      yield* b.run(
        CacheClient.use((client) => client.set(plain.key(one), 7, { schema: Schema.Number, ttl: "1 minute" }))
      )
      yield* middle.open
      yield* Fiber.join(reader)
      expect("a read after the set", yield* a.run(plain(one))).is(7)
    })
  ),

  rule(
    "a refresh takes the lease over",
    Effect.fnUntraced(function*({ a, b, gate, plain, table }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      expect("the refresh", yield* b.run(plain.refresh(one))).is(1)
      yield* middle.open
      yield* Fiber.join(reader)
      expect("what is stored when both are done", yield* found(a.run(plain.peek(one)))).is(1)
    })
  ),

  rule(
    "join only with the same token",
    Effect.fnUntraced(function*({ a, b, gate, plain, table }) {
      const older = gate("the older load")
      const newer = gate("the newer load")
      const first = yield* Effect.forkChild(a.run(plain(one)))
      expect("the row that the older load sees", yield* older.reached).is(0)
      yield* table.change("1", 1)
      yield* b.run(plain.invalidate(one))
      // Both start after the invalidation was acknowledged; the second finds two loads in flight.
      const second = yield* Effect.forkChild(a.run(plain(one)))
      expect("the row that the newer load sees", yield* newer.reached).is(1)
      const third = yield* Effect.forkChild(a.run(plain(one)))
      yield* a.settle
      yield* older.open
      yield* newer.open
      expect("what the three callers get", [
        yield* Fiber.join(first),
        yield* Fiber.join(second),
        yield* Fiber.join(third)
      ]).is([0, 1, 1])
      expect("the loads", table.reads).is(2)
    })
  ),

  rule(
    "join only with the same epoch",
    Effect.fnUntraced(function*({ a, b, gate, table, tagged }) {
      const middle = gate()
      const first = yield* Effect.forkChild(a.run(tagged(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      yield* b.run(invalidateTags(["T"]))
      const second = yield* Effect.forkChild(a.run(tagged(one)))
      yield* a.settle
      yield* middle.open
      expect("what the two callers get", [yield* Fiber.join(first), yield* Fiber.join(second)]).is([0, 1])
    })
  ),

  rule(
    "after a pattern, a load in flight does not store",
    Effect.fnUntraced(function*({ a, b, gate, plain, table }) {
      const middle = gate()
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      yield* table.change("1", 1)
      yield* b.run(invalidatePattern("row:*"))
      yield* middle.open
      yield* Fiber.join(reader)
      expect("a read after the invalidation", yield* b.run(plain(one))).is(1)
    })
  ),

  worldCase("protocol", "one load serves who comes meanwhile, and its value is kept", (world) =>
    Effect.gen(function*() {
      const { a, b, leases, story } = world
      const { gate, plain, table } = fixture(story)
      const middle = gate()
      const first = yield* Effect.forkChild(a.run(plain(one)))
      yield* middle.reached
      const second = yield* Effect.forkChild(a.run(plain(one)))
      yield* a.settle
      yield* middle.open
      expect("what the two callers get", [yield* Fiber.join(first), yield* Fiber.join(second)]).is([0, 0])
      expect("a read of the other process", yield* b.run(plain(one))).is(0)
      expect("the loads", table.reads).is(1)
      expect("what is stored", yield* found(b.run(plain.peek(one)))).is(0)
      expect("the leases held in the end", yield* leases).is([])
    })
  )
]
