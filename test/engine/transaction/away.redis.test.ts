/**
 * Transactions while Redis is away, and leases that are to be renewed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { CacheClient, CacheError, stampedeProtect, writeThrough } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { adminOf, buildClient, freshNamespace, scanKeys, sharedRedis } from "../../support/client.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { makeDatabase } from "../../support/sql.ts"
import { until } from "../../support/until.ts"
import { warnings } from "./levels.ts"
import { type Id, makeWorld, row } from "./setup.ts"

const server = sharedRedis()

/** Two clients of one database: one whose way to Redis may be cut, and another. */
const open = Effect.gen(function*() {
  const running = yield* server
  const namespace = freshNamespace()
  const proxy = yield* TcpProxy.scoped({ port: running.port })
  const db = yield* makeDatabase()
  const services = yield* Effect.context<never>()
  const layer = (port: number) => CacheRedis.layer({ url: `redis://127.0.0.1:${port}`, namespace, timeout: "1 second" })
  const world = makeWorld(yield* buildClient(layer(proxy.port)), db, services)
  const other = makeWorld(yield* buildClient(layer(running.port)), db, services)
  const away = (is: boolean) =>
    Effect.sync(() => {
      proxy.refuse(is)
      if (is) proxy.cut()
    })
  return { ...world, other, away }
})

/** Counted without a trip. */
const errors = Effect.map(
  CacheClient.use((cache) => cache.counters),
  ({ total }) => Object.values(total.errors).reduce((sum, count) => sum + count, 0)
)

describe("Redis is away", () => {
  for (const [policy, n] of [
    ["fail", 1],
    ["bypass", 7]
  ] as const) {
    it.live(`when a key is taken over, with onCacheError ${policy}`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { away, begin, db, other, transaction } = yield* open
          yield* begin("a", 1)
          yield* away(true)
          const put = writeThrough({ ...row, onCacheError: policy })(({ id, n }: Id & { readonly n: number }) =>
            db.write(id, n)
          )
          const exit = yield* Effect.exit(transaction(put({ id: "a", n: 7 })))
          assert.strictEqual(Exit.isSuccess(exit), policy === "bypass")
          if (policy === "fail") assert.instanceOf(Option.getOrThrow(Exit.findErrorOption(exit)), CacheError)
          assert.strictEqual(yield* db.read("a"), n)
          yield* away(false)
          yield* until(Effect.map(other.read("a"), (found) => found === n))
          yield* other.isFree("a")
        })
      )
    )
  }

  it.live("when the transaction commits: it succeeds, and what was not acknowledged is made up for", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { away, begin, client, db, other, put, transaction } = yield* open
        const { all, heard } = warnings()
        yield* begin("a", 1)
        yield* begin("b", 1)
        const before = yield* client.run(errors)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 7 })
            yield* db.write("b", 7)
            yield* CacheClient.use((cache) =>
              Effect.andThen(cache.invalidateTags(["rows"]), cache.invalidatePattern("row:*"))
            )
            yield* away(true)
          })
        ).pipe(heard)
        assert.strictEqual(all.filter((text) => text.includes("after the commit")).length, 1)
        assert.isAbove(yield* client.run(errors), before)
        assert.strictEqual(yield* other.peek("b"), 1, "not acknowledged")
        yield* away(false)
        yield* until(Effect.map(other.read("b"), (found) => found === 7))
        assert.strictEqual(yield* other.read("a"), 7)
        yield* other.isFree("a")
      })
    )
  )
})

describe("leases", () => {
  const withLease = (lockTtl: "1 second" | "1 minute") =>
    Effect.gen(function*() {
      const running = yield* server
      const namespace = freshNamespace()
      const layer = CacheRedis.layer({ url: running.url, namespace, timeout: "10 seconds" })
      const admin = yield* adminOf(running)
      const db = yield* makeDatabase()
      const services = yield* Effect.context<never>()
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
      const world = makeWorld(yield* Scope.provide(buildClient(layer, { lockTtl }), scope), db, services)
      const other = makeWorld(yield* buildClient(layer), db, services)
      const leases = Effect.promise(() => scanKeys(admin, `${namespace}:l:*`))
      /** Until the lease was renewed so often; it must be there all the while. */
      const renewed = (times: number) =>
        Effect.gen(function*() {
          const [lease] = yield* leases
          let last = Infinity
          for (let count = 0; count < times; ) {
            const left = yield* Effect.promise(() => admin.pttl(lease!))
            assert.isAbove(left, 0)
            if (left > last) count++
            last = left
            yield* Effect.sleep(10)
          }
        })
      const evict = Effect.flatMap(leases, (all) => Effect.promise(() => admin.del(...all)))
      return { ...world, other, leases, renewed, evict, kill: Scope.close(scope, Exit.void) }
    })

  it.live("are renewed for as long as the transaction lasts", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { begin, leases, other, peek, put, renewed, transaction } = yield* withLease("1 second")
        yield* begin("a", 1)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 7 })
            yield* renewed(4)
            assert.strictEqual(yield* other.read("a"), 1)
            assert.isUndefined(yield* peek("a"))
          })
        )
        assert.strictEqual(yield* peek("a"), 7)
        assert.deepStrictEqual(yield* leases, [])
      })
    )
  )

  it.live("that are shorter than those of the client are renewed in time", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { begin, db, peek, read, renewed, transaction } = yield* withLease("1 minute")
        yield* begin("a", 1)
        const get = stampedeProtect({ ...row, lockTtl: "1 second" })(({ id }: Id) => db.read(id))
        yield* transaction(
          Effect.gen(function*() {
            yield* db.write("a", 7)
            yield* get.refresh({ id: "a" })
            yield* renewed(4)
          })
        )
        assert.isUndefined(yield* peek("a"))
        assert.strictEqual(yield* read("a"), 7)
      })
    )
  )

  it.live(
    "that were evicted: what was written is gone by the end, also where a savepoint wrote it that was rolled back",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { begin, evict, other, put, savepoint, transaction } = yield* withLease("1 minute")
          yield* begin("a", 1)
          yield* transaction(
            Effect.gen(function*() {
              yield* put({ id: "a", n: 7 })
              yield* Effect.exit(savepoint(Effect.andThen(put({ id: "a", n: 8 }), Effect.fail("rolled back"))))
              yield* evict
              assert.strictEqual(yield* other.read("a"), 1)
              assert.strictEqual(yield* other.peek("a"), 1)
              // Its end is not heard of in the moment.
            }).pipe(Effect.withSpan("root", { root: true }))
          )
          assert.isUndefined(yield* other.peek("a"))
          assert.strictEqual(yield* other.read("a"), 7)
        })
      )
  )

  it.live("of a client that is killed end by themselves, and leave an empty slot", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { begin, kill, leases, other, put, transaction } = yield* withLease("1 second")
        yield* begin("a", 1)
        const written = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          transaction(
            Effect.gen(function*() {
              yield* put({ id: "a", n: 7 })
              yield* Deferred.succeed(written, undefined)
              return yield* Effect.never
            })
          )
        )
        yield* Deferred.await(written)
        yield* kill
        assert.isUndefined(yield* other.peek("a"))
        yield* until(Effect.map(leases, (all) => all.length === 0))
        assert.strictEqual(yield* other.read("a"), 1)
        assert.strictEqual(yield* other.peek("a"), 1)
        yield* Fiber.interrupt(fiber)
      })
    )
  )
})
