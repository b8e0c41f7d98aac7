/**
 * What callers write: transactions with all that can be done in them, and what is done around them.
 */
import { Context, Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Dice } from "../../test/support/dice.ts"
import { endMicros, startMicros } from "../histories/world.ts"
import { begin, CurrentFate, type Fate, presentIds, writeRow } from "./database.ts"
import { type CallKind, type Event, type Form, forms, nothing, readKinds } from "./records.ts"
import { announced, type Fault, type Needs, RolledBack, type Row, type Subject } from "./subject.ts"
import {
  groupOf,
  ids,
  keysIn,
  listKey,
  listOf,
  listsPattern,
  listTag,
  type Ref,
  rowKey,
  rowsIn,
  rowsPattern,
  rowsTag,
  writeOf
} from "./world.ts"

/** In which transaction something runs. */
export const CurrentTransaction = Context.Reference<string>("effect-cache/verify/CurrentTransaction", {
  defaultValue: () => nothing
})

/** A transaction as its caller knows it. */
export interface Transaction {
  readonly id: string
  readonly kind: CallKind
  readonly fiber: number
  /** What it has written and announced, by key: that it has to read. */
  own: Map<string, string>
  /** What may not be older than its writes once it has returned. */
  covers: Set<string>
  /** Its writes, and those of them that a savepoint took back. */
  readonly written: Array<string>
  readonly undone: Set<string>
  /** From when on what is acknowledged has to be seen in it; `undefined`: at each read from its start. */
  since: number | undefined
}

export interface Parts {
  readonly name: string
  readonly subject: Subject
  readonly record: (event: Event) => void
  readonly someTime: Effect.Effect<void>
  /** How a COMMIT ends, and what is to happen then. */
  readonly fate: (fate: Fate, tx: Transaction) => typeof CurrentFate.Service
}

type Step<A> = Effect.Effect<A, Fault, Needs>

/** How COMMIT ends, in thousandths. */
const fates: ReadonlyArray<readonly [Fate, number]> = [
  ["lost", 15],
  ["unsent", 15],
  ["late", 10],
  ["die-before", 2],
  ["die-after", 3],
  ["die-soon", 6]
]

export const makeTransactions = ({ fate, name, record, someTime, subject }: Parts, faults: boolean) => {
  let transactions = 0
  let writes = 0

  /** Reads a key, and writes down what it got. */
  const read = (dice: Dice, fiber: number, key: string, tx?: Transaction): Step<void> =>
    Effect.gen(function*() {
      const kind = dice.pick(readKinds)
      const [family, zone, last] = key.split(":")
      const start = startMicros()
      const got = yield* family === "item"
        ? subject.readRow(kind, { zone: Number(zone), id: Number(last) })
        : subject.readList(kind, Number(zone), Number(last))
      note(fiber, kind, start, key, got, tx)
    })

  const note = (
    fiber: number,
    kind: (typeof readKinds)[number],
    start: number,
    key: string,
    got: { readonly key: string; readonly write: string; readonly load: string },
    tx: Transaction | undefined
  ) =>
    record({
      ...{ type: "read", fiber, start, end: endMicros(), kind, key, load: got.load },
      // A value of another key is as wrong as can be: nobody has written it.
      write: got.key === key ? got.write : `of-${got.key}`,
      tx: tx?.id ?? nothing,
      expected: tx?.own.get(key) ?? (tx?.undone.has(got.write) === true ? "not-what-was-rolled-back" : nothing),
      since: tx?.since ?? start
    })

  const runs = (dice: Dice) => {
    const anyRow = (zone: number): Ref => ({ zone, id: dice.pick(ids) })

    const inTransaction = <A>(tx: Transaction, body: Step<A>): Step<A> =>
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        sql.withTransaction(Effect.provideService(body, CurrentTransaction, tx.id))
      )

    /** Runs it in a transaction. A COMMIT that fails, or that its process does not survive, is one of some. */
    const transaction = <A>(tx: Transaction, body: Step<A>): Step<A> =>
      Effect.suspend(() => {
        let luck = faults && tx.kind !== "snapshot" ? dice.below(1000) : Infinity
        const [chosen] = fates.find(([, weight]) => (luck -= weight) < 0) ?? (["done"] as const)
        const whole = Effect.gen(function*() {
          yield* begin(tx.id, tx.kind)
          const value = yield* body
          yield* someTime
          if (dice.chance(0.1)) return yield* new RolledBack()
          return value
        })
        return Effect.provideService(inTransaction(tx, whole), CurrentFate, fate(chosen, tx))
      })

    /** Writes a row, and says nothing of it. */
    const write = (tx: Transaction, ref: Ref, form: Form, gone = false): Step<Row> =>
      Effect.gen(function*() {
        const version = writeOf(tx.id, ++writes)
        tx.written.push(version)
        const key = rowKey(ref)
        const start = startMicros()
        yield* writeRow(tx.id, ref, version, gone)
        record({ type: "step", fiber: tx.fiber, start, end: endMicros(), form, key, write: version, tx: tx.id })
        return { key, write: version, load: `by-${tx.id}`, id: ref.id, present: !gone }
      })
    /** Which row is made, only the database knows. */
    const createRow = (tx: Transaction, zone: number): Step<Row> =>
      Effect.flatMap(presentIds(zone), (present) => {
        const absent = ids.find((id) => !present.includes(id))
        return write(tx, { zone, id: absent ?? dice.pick(ids) }, "create")
      })
    const done = (tx: Transaction, zone: number, row: Row, covers: Iterable<string>) => {
      const ref = { zone, id: row.id }
      for (const key of announced(ref)) tx.own.set(key, row.write)
      for (const key of covers) tx.covers.add(key)
    }

    /** Says by a form what the row that was written has made old; gives what that covers. */
    const announce = (tx: Transaction, ref: Ref, row: Row, form: Form): Step<ReadonlyArray<string>> =>
      Effect.gen(function*() {
        const { id, zone } = ref
        const lists = listTag(zone, groupOf(id))
        switch (form) {
          case "tag":
            yield* subject.invalidateTags([rowsTag(zone, groupOf(id)), lists])
            return [...rowsIn(zone, groupOf(id)), listOf(ref)]
          case "pattern":
            yield* subject.invalidatePattern(rowsPattern(zone))
            yield* subject.invalidatePattern(listsPattern(zone))
            return keysIn(zone)
          case "set":
            yield* subject.set(ref, row)
            break
          case "refresh": {
            const start = startMicros()
            const got = yield* subject.refresh(ref)
            note(tx.fiber, "aside", start, row.key, got, { ...tx, own: new Map([[row.key, row.write]]) })
            break
          }
          default:
            yield* subject.invalidateKey(row.key)
        }
        yield* subject.invalidateTags([lists])
        return announced(ref)
      })

    const step = (tx: Transaction, zone: number): Step<void> =>
      Effect.gen(function*() {
        const form = dice.pick(forms)
        const ref = anyRow(zone)
        switch (form) {
          case "through": {
            const row = yield* subject.through(ref, Effect.tap(write(tx, ref, form), someTime))
            return done(tx, zone, row, announced(ref))
          }
          case "create": {
            const row = yield* subject.create(zone, createRow(tx, zone))
            return done(tx, zone, row, announced({ zone, id: row.id }))
          }
          case "remove": {
            const row = yield* subject.remove(ref, write(tx, ref, form, true))
            return done(tx, zone, row, announced(ref))
          }
          default: {
            const row = yield* write(tx, ref, form)
            return done(tx, zone, row, yield* announce(tx, ref, row, form))
          }
        }
      })

    /** Runs it in a savepoint, which may be rolled back; what it has noted of the transaction is forgotten then. */
    const savepoint = (tx: Transaction, body: Step<void>): Step<void> =>
      Effect.suspend(() => {
        const own = new Map(tx.own)
        const covers = new Set(tx.covers)
        const before = tx.written.length
        const start = startMicros()
        const fails = dice.chance(0.5)
        const whole = fails ? Effect.andThen(body, Effect.fail(new RolledBack())) : body
        return Effect.catchTag(
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(whole)),
          "RolledBack",
          () =>
            Effect.sync(() => {
              tx.own = own
              tx.covers = covers
              for (const write of tx.written.splice(before)) tx.undone.add(write)
              const end = endMicros()
              const { fiber, id } = tx
              record({ type: "step", fiber, start, end, form: "savepoint", key: nothing, write: nothing, tx: id })
            })
        )
      })

    const readInside = (tx: Transaction, zone: number): Step<void> =>
      Effect.suspend(() => {
        const own = [...tx.own.keys()]
        return read(dice, tx.fiber, own.length > 0 && dice.chance(0.6) ? dice.pick(own) : dice.pick(keysIn(zone)), tx)
      })

    const steps = (tx: Transaction, zone: number, depth: number): Step<void> =>
      Effect.gen(function*() {
        const count = 1 + dice.below(3)
        for (let i = 0; i < count; i++) {
          if (depth < 2 && dice.chance(0.25)) yield* savepoint(tx, steps(tx, zone, depth + 1))
          else yield* step(tx, zone)
          if (dice.chance(0.5)) yield* readInside(tx, zone)
          if (dice.chance(0.2)) yield* someTime
        }
      })

    /** One row in a transaction of its own; at times a savepoint that writes it is rolled back before. */
    const alone = (tx: Transaction, writing: Step<Row>): Step<Row> =>
      transaction(
        tx,
        Effect.gen(function*() {
          if (dice.chance(0.3)) yield* savepoint(tx, Effect.asVoid(writing))
          const row = yield* writing
          if (dice.chance(0.3)) yield* readInside(tx, Number(row.key.split(":")[1]))
          return row
        })
      )

    const call = (tx: Transaction, zone: number): Step<void> => {
      const ref = anyRow(zone)
      const after = (row: Row) => Effect.sync(() => done(tx, zone, row, announced({ zone, id: row.id })))
      switch (tx.kind) {
        case "around":
          return Effect.flatMap(subject.through(ref, alone(tx, write(tx, ref, "through"))), after)
        case "create":
          return Effect.flatMap(subject.create(zone, transaction(tx, createRow(tx, zone))), after)
        case "remove":
          return Effect.flatMap(subject.remove(ref, alone(tx, write(tx, ref, "remove", true))), after)
        case "inside":
          return transaction(tx, steps(tx, zone, 0))
        case "plain": {
          const form = dice.pick(["key", "tag", "pattern"] as const)
          return Effect.gen(function*() {
            const row = yield* transaction(tx, write(tx, ref, form))
            done(tx, zone, row, yield* announce(tx, ref, row, form))
          })
        }
        case "snapshot": {
          const keys = [dice.pick(keysIn(zone)), listKey(zone, 0), dice.pick(keysIn(zone))]
          tx.since = startMicros()
          const body = Effect.forEach(keys, (key) => Effect.andThen(read(dice, tx.fiber, key, tx), someTime), {
            discard: true
          })
          return Effect.provideService(inTransaction(tx, body), SqlClient.BeginTransaction, "BEGIN")
        }
      }
    }
    return call
  }

  const start = (dice: Dice, fiber: number, kind: CallKind, zone: number) => {
    const tx: Transaction = {
      ...{ id: `${name}#${++transactions}`, kind, fiber },
      own: new Map(),
      covers: new Set(),
      written: [],
      undone: new Set(),
      since: undefined
    }
    return { tx, call: Effect.suspend(() => runs(dice)(tx, zone)) }
  }
  return { read, start }
}
