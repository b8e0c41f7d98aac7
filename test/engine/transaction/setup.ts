/**
 * What the tests of transactions share: a client, a database, and a cached number of a row.
 */
import { assert, it } from "@effect/vitest"
import { type Context, Effect, Fiber, Option, Schema, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { cacheAside, CacheClient, type CacheServices, CacheRegion, writeThrough } from "effect-cache"
import type { Client } from "../../support/client.ts"
import { type Database, makeDatabase } from "../../support/sql.ts"
import { until } from "../../support/until.ts"

export type Open = Effect.Effect<Client, unknown, Scope.Scope>

export type Services = CacheServices | SqlClient.SqlClient

export interface Id {
  readonly id: string
}

export const row = { key: "row:{id}", schema: Schema.Number, ttl: "1 hour", tags: () => ["rows"] } as const

export const Row = CacheRegion.make(row)

const Tagged = CacheRegion.make({ ...row, tags: (_, { id }) => ["rows", `row ${id.toString()}`] })

export const number = { schema: Schema.Number, ttl: "1 hour", tags: ["rows"] } as const

export const makeWorld = (client: Client, db: Database, services: Context.Context<never>) => {
  let loads = 0
  const get = cacheAside(Row)(({ id }: Id) =>
    Effect.suspend(() => {
      loads++
      return db.read(id)
    })
  )
  const put = writeThrough(Row)(({ id, n }: Id & { readonly n: number }) => db.write(id, n))
  /** Somebody else, outside of any transaction, wherever the test is. */
  const out = <A, E>(self: Effect.Effect<A, E, Services>) =>
    Effect.suspend(() => Fiber.join(Effect.runForkWith(services)(client.run(db.use(self)))))
  const peek = (id: string) => Effect.map(out(get.peek({ id })), Option.getOrUndefined)
  return {
    client,
    db,
    get,
    put,
    out,
    loads: () => loads,
    transaction: <A, E>(self: Effect.Effect<A, E, Services>) => client.run(db.transaction(self)),
    savepoint: db.sql.withTransaction,
    /** What is stored, by who is in no transaction. */
    peek,
    /** A read of who is in no transaction. */
    read: (id: string) => out(get({ id })),
    /** A row, committed and cached. */
    begin: (id: string, n: number) =>
      Effect.gen(function*() {
        yield* db.write(id, n)
        assert.strictEqual(yield* out(get({ id })), n)
        assert.strictEqual(yield* peek(id), n)
      }),
    /** That reads of a row are stored: nobody holds its lease. */
    isFree: (id: string) =>
      until(Effect.map(Effect.andThen(out(get({ id })), peek(id)), (stored) => stored !== undefined))
  }
}

export type World = ReturnType<typeof makeWorld>

/** A test with a world of its own. */
export const test = (open: Open, name: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () =>
    Effect.scoped(
      Effect.gen(function*() {
        yield* body(makeWorld(yield* open, yield* makeDatabase(), yield* Effect.context<never>()))
      })
    )
  )

/** What a program can do to a row that it has made 7 in the database. */
export const changes: ReadonlyArray<{
  readonly name: string
  readonly run: (world: World) => Effect.Effect<unknown, unknown, Services>
  /** What is stored after the commit. */
  readonly leaves: 7 | undefined
  /** Whether readers meanwhile may store what they find. */
  readonly isNoted?: true
}> = [
  { name: "writeThrough", run: ({ put }) => put({ id: "a", n: 7 }), leaves: 7 },
  { name: "set", run: () => CacheClient.use((cache) => cache.set("row:a", 7, number)), leaves: 7 },
  { name: "set of a region", run: () => CacheClient.use((cache) => cache.set(Row, { id: "a" }, 7)), leaves: 7 },
  {
    name: "set of a region whose tags are made of parameters",
    run: () => CacheClient.use((cache) => cache.set(Tagged, { id: "a" }, 7)),
    leaves: 7
  },
  { name: "refresh", run: ({ get }) => get.refresh({ id: "a" }), leaves: undefined },
  { name: "invalidate", run: ({ get }) => get.invalidate({ id: "a" }), leaves: undefined },
  { name: "invalidateKeys", run: () => CacheClient.use((cache) => cache.invalidateKeys(["row:a"])), leaves: undefined },
  { name: "invalidate of a region", run: () => Row.invalidate({ id: "a" }), leaves: undefined },
  { name: "clear of a region", run: () => Row.clear, leaves: undefined, isNoted: true },
  { name: "clear of a function", run: ({ get }) => get.clear, leaves: undefined, isNoted: true },
  {
    name: "invalidatePattern",
    run: () => CacheClient.use((cache) => cache.invalidatePattern("row:*")),
    leaves: undefined,
    isNoted: true
  },
  {
    name: "invalidateTags",
    run: () => CacheClient.use((cache) => cache.invalidateTags(["rows"])),
    leaves: undefined,
    isNoted: true
  },
  { name: "clear", run: () => CacheClient.use((cache) => cache.clear), leaves: undefined, isNoted: true }
]
