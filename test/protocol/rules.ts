/**
 * The rules of docs/protocol.md, each as an interleaving that goes wrong without it. `scripts/ablations.ts` takes each rule
 * out of the sources and looks whether the test of its name fails.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema, type Scope } from "effect"
import {
  cacheAside,
  CacheClient,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  writeThrough
} from "../../src/index.ts"
import { type Gate, makeGate, type MakeWorld, someOrUndefined, type World } from "../support/client.ts"

/** The table that is cached: one row a key, which holds a version. */
class Table {
  readonly rows = new Map<string, number>()
  reads = 0
  /** Gates for the reads to come, in order; a read without one does not stop. */
  readonly gates: Array<Gate<number>> = []
  read(id: string): Effect.Effect<number> {
    return Effect.suspend(() => {
      this.reads++
      const row = this.rows.get(id) ?? 0
      const gate = this.gates.shift()
      return gate === undefined ? Effect.succeed(row) : gate.pass(row)
    })
  }
  change(id: string, row: number): Effect.Effect<void> {
    return Effect.sync(() => void this.rows.set(id, row))
  }
}

const settings = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const
type Id = { readonly id: string }

const fixture = () => {
  const table = new Table()
  const load = ({ id }: Id) => table.read(id)
  return {
    table,
    plain: cacheAside(settings)(load),
    // Tags known only from the value, and so not before the load.
    tagged: cacheAside({ ...settings, tags: () => ["T"] })(load),
    gate: () => {
      const gate = makeGate<number>()
      table.gates.push(gate)
      return gate
    }
  }
}

const one = { id: "1" } as const

export const rules = (name: string, makeWorld: MakeWorld): void => {
  const rule = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(`rule: ${title}`, () => Effect.scoped(Effect.flatMap(makeWorld, body)), 10_000)

  describe(`protocol on ${name}`, () => {
    rule(
      "fence on fill",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        assert.strictEqual(yield* middle.reached, 0)
        yield* table.change("1", 1)
        yield* b.run(invalidateKey(plain.key(one)))
        yield* middle.open
        // The caller that was there before gets what it loaded; nobody after it does.
        assert.strictEqual(yield* Fiber.join(reader), 0)
        assert.deepStrictEqual(yield* b.run(plain.peek(one)), Option.none())
        assert.strictEqual(yield* a.run(plain(one)), 1)
      })
    )

    rule(
      "fence on fill, when another load holds the lease by then",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const older = gate()
        const newer = gate()
        const first = yield* Effect.forkChild(a.run(plain(one)))
        yield* older.reached
        yield* table.change("1", 1)
        yield* b.run(plain.invalidate(one))
        const second = yield* Effect.forkChild(b.run(plain(one)))
        assert.strictEqual(yield* newer.reached, 1)
        yield* older.open
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* b.run(plain.peek(one)), Option.none())
        yield* newer.open
        assert.strictEqual(yield* Fiber.join(second), 1)
        assert.deepStrictEqual(yield* a.run(plain.peek(one)), Option.some(1))
      })
    )

    rule(
      "an absent lease rejects",
      Effect.fnUntraced(function*({ a, b, evict }) {
        const { gate, plain, table } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        if (evict !== undefined) yield* evict("lease", plain.key(one))
        yield* b.run(plain.invalidate(one))
        yield* middle.open
        yield* Fiber.join(reader)
        assert.strictEqual(yield* b.run(plain(one)), 1)
      })
    )

    rule(
      "key invalidation drops the lease",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        yield* b.run(invalidateKey(plain.key(one)))
        // Also while the load goes on: the key is free, so a new load begins and its value is kept.
        assert.strictEqual(yield* b.run(plain(one)), 1)
        assert.deepStrictEqual(yield* b.run(plain.peek(one)), Option.some(1))
        yield* middle.open
        yield* Fiber.join(reader)
        assert.strictEqual(yield* a.run(plain(one)), 1)
      })
    )

    rule(
      "the epoch is read before the load",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, table, tagged } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(tagged(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        yield* b.run(invalidateTags(["T"]))
        yield* middle.open
        yield* Fiber.join(reader)
        assert.deepStrictEqual(yield* a.run(tagged.peek(one)), Option.none())
        assert.strictEqual(yield* b.run(tagged(one)), 1)
      })
    )

    rule(
      "a missing marker is stale",
      Effect.fnUntraced(function*({ a, b, evict }) {
        const { table, tagged } = fixture()
        if (evict !== undefined) {
          yield* a.run(tagged(one))
          assert.deepStrictEqual(yield* a.run(tagged.peek(one)), Option.some(0))
          yield* table.change("1", 1)
          yield* b.run(invalidateTags(["T"]))
          yield* evict("marker", "T")
          assert.strictEqual(yield* a.run(tagged(one)), 1)
          return
        }
        // In memory the markers of stored entries stay; only an entry with more tags than there is room for lacks some.
        const tags = Array.from({ length: 12_000 }, (_, i) => `t${i}`)
        const many = cacheAside({ ...settings, tags })(({ id }: Id) => table.read(id))
        yield* a.run(many(one))
        assert.deepStrictEqual(yield* a.run(many.peek(one)), Option.none())
      })
    )

    rule(
      "a marker is created at the current epoch",
      Effect.fnUntraced(function*({ a, b, evict }) {
        const { gate, table, tagged } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(tagged(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        yield* b.run(invalidateTags(["T"]))
        // The marker goes, and with it what it knew; the fill creates it anew.
        if (evict !== undefined) yield* evict("marker", "T")
        else yield* b.run(invalidateTags(Array.from({ length: 12_000 }, (_, i) => `t${i}`)))
        yield* middle.open
        yield* Fiber.join(reader)
        assert.strictEqual(yield* b.run(tagged(one)), 1)
      })
    )

    rule(
      "write-through takes the lease over",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const reading = gate()
        const writing = makeGate<number>()
        const write = writeThrough(settings)(({ id }: Id) => Effect.andThen(table.change(id, 1), writing.pass(1)))
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        assert.strictEqual(yield* reading.reached, 0)
        const writer = yield* Effect.forkChild(b.run(write(one)))
        yield* writing.reached
        yield* reading.open
        yield* Fiber.join(reader)
        // Were the writer to die now, after its commit, the old row must not be left.
        assert.deepStrictEqual(yield* b.run(plain.peek(one)), Option.none())
        yield* writing.open
        yield* Fiber.join(writer)
        assert.deepStrictEqual(yield* a.run(plain.peek(one)), Option.some(1))
      })
    )

    for (const first of ["a", "b"] as const) {
      rule(
        `the losing writer unlinks (${first} ends first)`,
        Effect.fnUntraced(function*({ a, b }) {
          const { plain, table } = fixture()
          const gates = { a: makeGate<number>(), b: makeGate<number>() }
          const write = writeThrough(settings)((_: Id & { readonly by: "a" | "b"; readonly row: number }) =>
            Effect.andThen(gates[_.by].pass(_.row), Effect.as(table.change(_.id, _.row), _.row))
          )
          const fibers = { a: yield* Effect.forkChild(a.run(write({ ...one, by: "a", row: 1 }))), b: undefined as any }
          yield* gates.a.reached
          fibers.b = yield* Effect.forkChild(b.run(write({ ...one, by: "b", row: 2 })))
          yield* gates.b.reached
          const second = first === "a" ? "b" : "a"
          yield* gates[first].open
          yield* Fiber.join(fibers[first])
          yield* gates[second].open
          yield* Fiber.join(fibers[second])
          const row = table.rows.get("1")!
          assert.strictEqual(row, second === "a" ? 1 : 2)
          assert.strictEqual(yield* a.run(plain(one)), row)
          assert.strictEqual(yield* b.run(plain(one)), row)
        })
      )
    }

    rule(
      "a set drops the lease",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        yield* middle.reached
        yield* b.run(
          CacheClient.use((client) => client.set(plain.key(one), 7, { schema: Schema.Number, ttl: "1 minute" }))
        )
        yield* middle.open
        yield* Fiber.join(reader)
        assert.strictEqual(yield* a.run(plain(one)), 7)
      })
    )

    rule(
      "a refresh takes the lease over",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        assert.strictEqual(yield* b.run(plain.refresh(one)), 1)
        yield* middle.open
        yield* Fiber.join(reader)
        assert.deepStrictEqual(yield* a.run(plain.peek(one)), Option.some(1))
      })
    )

    rule(
      "join only with the same token",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const older = gate()
        const newer = gate()
        const first = yield* Effect.forkChild(a.run(plain(one)))
        assert.strictEqual(yield* older.reached, 0)
        yield* table.change("1", 1)
        yield* b.run(plain.invalidate(one))
        // Both start after the invalidation was acknowledged; the second finds two loads in flight.
        const second = yield* Effect.forkChild(a.run(plain(one)))
        assert.strictEqual(yield* newer.reached, 1)
        const third = yield* Effect.forkChild(a.run(plain(one)))
        yield* a.settle
        yield* older.open
        yield* newer.open
        assert.deepStrictEqual(
          [yield* Fiber.join(first), yield* Fiber.join(second), yield* Fiber.join(third)],
          [0, 1, 1]
        )
        assert.strictEqual(table.reads, 2)
      })
    )

    rule(
      "join only with the same epoch",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, table, tagged } = fixture()
        const middle = gate()
        const first = yield* Effect.forkChild(a.run(tagged(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        yield* b.run(invalidateTags(["T"]))
        const second = yield* Effect.forkChild(a.run(tagged(one)))
        yield* a.settle
        yield* middle.open
        assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [0, 1])
      })
    )

    rule(
      "after a pattern, a load in flight does not store",
      Effect.fnUntraced(function*({ a, b }) {
        const { gate, plain, table } = fixture()
        const middle = gate()
        const reader = yield* Effect.forkChild(a.run(plain(one)))
        yield* middle.reached
        yield* table.change("1", 1)
        yield* b.run(invalidatePattern("row:*"))
        yield* middle.open
        yield* Fiber.join(reader)
        assert.strictEqual(yield* b.run(plain(one)), 1)
      })
    )

    it.live("one load serves who comes meanwhile, and its value is kept", () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { a, b, leases } = yield* makeWorld
          const { gate, plain, table } = fixture()
          const middle = gate()
          const first = yield* Effect.forkChild(a.run(plain(one)))
          yield* middle.reached
          const second = yield* Effect.forkChild(a.run(plain(one)))
          yield* a.settle
          yield* middle.open
          assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [0, 0])
          assert.strictEqual(yield* b.run(plain(one)), 0)
          assert.strictEqual(table.reads, 1)
          assert.strictEqual(someOrUndefined(yield* b.run(plain.peek(one))), 0)
          assert.deepStrictEqual(yield* leases, [])
        })
      )
    )
  })
}
