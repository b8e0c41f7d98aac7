/**
 * Callers who lend what they have in a scope of their own.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Option, Schema, Scope } from "effect"
import type { CacheServices } from "effect-cache"
import type { Client } from "./client.ts"
import { connect, connected, Connection } from "./connections.ts"

export interface World {
  readonly client: Client
  /** Ends the client as its scope would. */
  readonly close: Effect.Effect<void>
  /** Its store cannot be asked for what was stored, nor invalidate anything. */
  readonly isAway?: boolean
}

export type Id = { readonly id: string }
export const one: Id = { id: "1" }
export const settings = { key: "row:{id}", schema: Schema.String, ttl: "1 minute" } as const
export type Query = Effect.Effect<string, never, Connection>

/** A caller with a scope and a connection of its own. It has gone as far as it can. */
export const caller = Effect.fnUntraced(function* <A, E>(
  { client }: World,
  name: string,
  call: Effect.Effect<A, E, CacheServices | Connection>
) {
  const fiber = yield* Effect.forkChild(connected(name, client.run(call as Effect.Effect<A, E, CacheServices>)), {
    startImmediately: true
  })
  yield* client.settle
  return fiber
})

/** It was stored. */
export const kept = (
  { client, isAway }: World,
  peek: Effect.Effect<Option.Option<string>, unknown, CacheServices>,
  value: string
) =>
  Effect.map(isAway === true ? Effect.succeedSome(value) : client.run(peek), (found) =>
    assert.deepStrictEqual(found, Option.some(value))
  )

/** A caller whose scope the test closes, and who stays. */
export const staying = Effect.fnUntraced(function* <A, E>(
  { client }: World,
  name: string,
  call: Effect.Effect<A, E, CacheServices | Connection>
) {
  const scope = yield* Scope.make()
  const connection = yield* Scope.provide(connect(name), scope)
  const lent = client
    .run(call as Effect.Effect<A, E, CacheServices>)
    .pipe(Effect.provideService(Connection, connection), Scope.provide(scope))
  const fiber = yield* Effect.forkChild(lent, { startImmediately: true })
  yield* client.settle
  return { fiber, close: Scope.close(scope, Exit.void) }
})

export type Test = (name: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) => void
