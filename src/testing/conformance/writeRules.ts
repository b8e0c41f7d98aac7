/**
 * The rules of writes, each as an interleaving of processes that goes wrong without it. A writer may die at any moment: what is
 * stored while one has committed and not ended must never be older than what he has committed.
 */
import { Effect, Fiber } from "effect"
import { invalidateKey } from "../../patterns/invalidation.ts"
import { writeAround } from "../../patterns/writeAround.ts"
import { writeThrough } from "../../patterns/writeThrough.ts"
import { evictOf, type Script } from "./case.ts"
import { expect } from "./expect.ts"
import { found, type Id, one, rule, settings, type Table } from "./protocol.ts"
import type { Story } from "./story.ts"
import { makeGate } from "./world.ts"

/** A write that stops before its commit, and behind it. */
const stopping = (story: Story, table: Table, row: number) => {
  const before = makeGate<number>(story, `the write of ${row}, before its commit`)
  const after = makeGate<number>(story, `the write of ${row}, behind its commit`)
  const write = writeThrough(settings)(({ id }: Id) =>
    Effect.andThen(Effect.andThen(before.pass(row), table.change(id, row)), after.pass(row))
  )
  return { before, after, write }
}

export const writeRuleCases: ReadonlyArray<Script> = [
  rule(
    "write-through takes the lease over",
    Effect.fnUntraced(function*({ a, b, gate, plain, story, table }) {
      const reading = gate()
      const writing = makeGate<number>(story, "the write")
      const write = writeThrough(settings)(({ id }: Id) => Effect.andThen(table.change(id, 1), writing.pass(1)))
      const reader = yield* Effect.forkChild(a.run(plain(one)))
      expect("the row that the load sees", yield* reading.reached).is(0)
      const writer = yield* Effect.forkChild(b.run(write(one)))
      yield* writing.reached
      yield* reading.open
      yield* Fiber.join(reader)
      // Were the writer to die now, after its commit, the old row must not be left.
      expect("what is stored during the write", yield* found(b.run(plain.peek(one)))).is(undefined)
      yield* writing.open
      yield* Fiber.join(writer)
      expect("what is stored after the write", yield* found(a.run(plain.peek(one)))).is(1)
    })
  ),

  ...(["a", "b"] as const).map((first) =>
    rule(
      `of two writers neither leaves its value (${first} ends first)`,
      Effect.fnUntraced(function*({ a, b, plain, story, table }) {
        const gates = { a: makeGate<number>(story, "the write of a"), b: makeGate<number>(story, "the write of b") }
        const write = writeThrough(settings)((_: Id & { readonly by: "a" | "b"; readonly row: number }) =>
          Effect.andThen(gates[_.by].pass(_.row), Effect.as(table.change(_.id, _.row), _.row))
        )
        const writerA = yield* Effect.forkChild(a.run(write({ ...one, by: "a", row: 1 })))
        yield* gates.a.reached
        const writerB = yield* Effect.forkChild(b.run(write({ ...one, by: "b", row: 2 })))
        yield* gates.b.reached
        const fibers = { a: writerA, b: writerB }
        const second = first === "a" ? "b" : "a"
        yield* gates[first].open
        yield* Fiber.join(fibers[first])
        yield* gates[second].open
        yield* Fiber.join(fibers[second])
        const row = table.rows.get("1")
        expect("the row in the table", row).is(second === "a" ? 1 : 2)
        expect("a read of a", yield* a.run(plain(one))).is(row)
        expect("a read of b", yield* b.run(plain(one))).is(row)
      })
    )
  ),

  rule(
    "writes join, and the lease ends with the last of them",
    Effect.fnUntraced(function*({ a, b, plain, story, table }) {
      const [first, second] = [stopping(story, table, 1), stopping(story, table, 2)]
      const writerA = yield* Effect.forkChild(a.run(first.write(one)))
      yield* first.before.reached
      const writerB = yield* Effect.forkChild(b.run(second.write(one)))
      yield* second.before.reached
      yield* second.before.open
      yield* second.after.reached
      yield* second.after.open
      yield* Fiber.join(writerB)
      expect("a read between the two", yield* b.run(plain(one))).is(2)
      yield* first.before.open
      yield* first.after.reached
      // Were the writer to die now, neither the other's row must be left, nor what a reader saw before.
      expect("what is stored when the last has committed", yield* found(b.run(plain.peek(one)))).is(undefined)
      yield* first.after.open
      yield* Fiber.join(writerA)
      expect("a read after both", yield* b.run(plain(one))).is(1)
    })
  ),

  rule(
    "key invalidation makes the lease of a write void, and leaves it",
    Effect.fnUntraced(function*({ a, b, plain, story, table }) {
      const { after, before, write } = stopping(story, table, 1)
      const writer = yield* Effect.forkChild(a.run(write(one)))
      yield* before.reached
      yield* b.run(invalidateKey(plain.key(one)))
      expect("a read before the commit", yield* b.run(plain(one))).is(0)
      yield* before.open
      yield* after.reached
      expect("what is stored behind the commit", yield* found(b.run(plain.peek(one)))).is(undefined)
      yield* after.open
      yield* Fiber.join(writer)
      expect("what is stored after the write", yield* found(b.run(plain.peek(one)))).is(undefined)
      expect("a read after the write", yield* b.run(plain(one))).is(1)
    })
  ),

  rule(
    "a created row is not filled, and its slot is emptied",
    Effect.fnUntraced(function*({ a, b, plain, story, table }) {
      const after = makeGate<number>(story, "the create, behind its commit")
      const create = writeThrough(settings, { keyOf: () => one })(
        Effect.andThen(
          Effect.suspend(() => table.change("1", 1)),
          after.pass(1)
        )
      )
      const update = writeThrough(settings)(({ id }: Id) => Effect.as(table.change(id, 2), 2))
      expect("a read before it", yield* b.run(plain(one))).is(0)
      const creator = yield* Effect.forkChild(a.run(create))
      yield* after.reached
      yield* b.run(update(one))
      yield* after.open
      expect("what the create gives", yield* Fiber.join(creator)).is(1)
      expect("what is stored after it", yield* found(b.run(plain.peek(one)))).is(undefined)
      expect("a read after it", yield* b.run(plain(one))).is(2)
    })
  ),

  rule(
    "a write around the cache holds the leases of its keys, and leaves nothing",
    Effect.fnUntraced(function*({ a, b, plain, story, table }) {
      const [before, after] = [
        makeGate<number>(story, "before its commit"),
        makeGate<number>(story, "behind its commit")
      ]
      const ids = ["1", "2"]
      const remove = writeAround({ keys: ids.map((id) => plain.key({ id })) })(
        Effect.andThen(
          Effect.andThen(
            before.pass(1),
            Effect.forEach(ids, (id) => table.change(id, 1), { discard: true })
          ),
          after.pass(1)
        )
      )
      for (const id of ids) expect("a read before it", yield* b.run(plain({ id }))).is(0)
      const writer = yield* Effect.forkChild(a.run(remove))
      yield* before.reached
      for (const id of ids) expect("a read before the commit", yield* b.run(plain({ id }))).is(0)
      yield* before.open
      yield* after.reached
      for (const id of ids) {
        expect("what is stored behind the commit", yield* found(b.run(plain.peek({ id })))).is(undefined)
      }
      yield* after.open
      yield* Fiber.join(writer)
      for (const id of ids) {
        expect("what is stored after it", yield* found(b.run(plain.peek({ id })))).is(undefined)
        expect("a read after it", yield* b.run(plain({ id }))).is(1)
        expect("what is stored then", yield* found(a.run(plain.peek({ id })))).is(1)
      }
    })
  ),

  rule(
    "a refresh leaves the lease of a write",
    Effect.fnUntraced(function*({ a, b, plain, story, table }) {
      const { after, before, write } = stopping(story, table, 1)
      const writer = yield* Effect.forkChild(a.run(write(one)))
      yield* before.reached
      expect("what a refresh gives", yield* b.run(plain.refresh(one))).is(0)
      yield* before.open
      yield* after.reached
      expect("what is stored behind the commit", yield* found(b.run(plain.peek(one)))).is(undefined)
      yield* after.open
      expect("what the write gives", yield* Fiber.join(writer)).is(1)
      expect("what is stored after the write", yield* found(b.run(plain.peek(one)))).is(1)
    })
  ),

  rule(
    "a write that lost its lease unlinks",
    Effect.fnUntraced(function*({ a, b, gate, plain, store, story, table }) {
      const { after, before, write } = stopping(story, table, 1)
      const writer = yield* Effect.forkChild(a.run(write(one)))
      yield* before.reached
      yield* evictOf(store)("lease", plain.key(one))
      const middle = gate("the load of the old row")
      const reader = yield* Effect.forkChild(b.run(plain(one)))
      yield* middle.reached
      yield* before.open
      yield* after.reached
      yield* after.open
      yield* Fiber.join(writer)
      yield* middle.open
      expect("what the caller of the load gets", yield* Fiber.join(reader)).is(0)
      expect("what is stored after the write", yield* found(b.run(plain.peek(one)))).is(undefined)
    }),
    "evictions"
  )
]
