/**
 * What `src/engine/transaction/current.ts` knows of `effect/sql` by name, against the version that is installed. Where one of these fails,
 * no transaction is seen, or its end is heard of late: look for the new names there.
 */
import { assert, it } from "@effect/vitest"
import { type Context, Effect, type Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { spansOf, transactionOf } from "../../../src/engine/transaction/current.ts"
import { makeDatabase } from "../../support/sql.ts"

it.live("the names of effect/sql that transactions are seen by are those of the installed version", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { sql, transaction } = yield* makeDatabase()
      assert.strictEqual(SqlClient.SqlClient.key, "effect/sql/SqlClient")
      assert.isTrue(sql.transactionService.key.startsWith("effect/sql/SqlClient/TransactionConnection/"))
      assert.isUndefined(transactionOf(yield* Effect.context<never>()), "outside there is none")

      const events: Array<string> = []
      const run = transaction(
        Effect.gen(function*() {
          const services = yield* Effect.context<never>()
          const current = services.mapUnsafe.get("effect/sql/CurrentTransactionService") as Context.Key<never, unknown>
          assert.strictEqual(current?.key, sql.transactionService.key, "the service of the innermost transaction")
          const here = transactionOf(services)
          assert.isDefined(here)
          assert.strictEqual(here!.level[1], 0)
          assert.strictEqual<unknown>(here!.client, sql)
          const [span] = spansOf(services)
          assert.strictEqual(span?.name, "sql.transaction")
          const { event } = span!
          Object.assign(span!, {
            event(this: Tracer.Span, ...args: Parameters<Tracer.Span["event"]>) {
              events.push(args[0])
              return Reflect.apply(event, this, args)
            }
          })
          yield* sql.withTransaction(
            Effect.map(Effect.context<never>(), (services) => {
              assert.strictEqual(transactionOf(services)?.level[1], 1)
              assert.strictEqual(transactionOf(services)?.level[0], here!.level[0], "one connection")
              assert.strictEqual(spansOf(services).length, 2)
            })
          )
          return yield* Effect.fail("rolled back")
        })
      )
      assert.strictEqual(yield* Effect.flip(run), "rolled back")
      assert.deepStrictEqual(events, ["effect.sql.transaction.rollback"])
    })
  )
)
