/**
 * The conformance kit under vitest, and the stores it is run on.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"
import { makeNames } from "../../src/stores/redis/commands.ts"
import type { RedisOptions } from "../../src/stores/redis/options/options.ts"
import { makeRedisPrimitives } from "../../src/stores/redis/primitives.ts"
import { Conformance, type ConformanceGroup, type ConformanceStore } from "../../src/testing/index.ts"
import type { RunningRedis } from "../support/redisServer.ts"

/** The cases of these groups, as tests. `run` is `it.live`, or `it.effect` for a store that lives on the test clock. */
export const conformance = (
  name: string,
  open: Parameters<typeof Conformance.cases>[0],
  groups: ReadonlyArray<ConformanceGroup>,
  run: typeof it.live | typeof it.effect = it.live
): void => {
  for (const group of groups) {
    describe(`${group}: ${name}`, () => {
      for (const one of Conformance.cases(open)) if (one.group === group) run(one.name, () => one.run)
    })
  }
}

/** Memory. It says of itself that its entries live in this process, so all share one set of primitives. */
export const memoryStore: Effect.Effect<ConformanceStore, unknown> = Effect.map(
  makeMemoryPrimitives({}),
  (primitives) => ({
    connect: Effect.succeed(primitives),
    advance: (millis) => TestClock.adjust(millis)
  })
)

export interface RedisUnderTest {
  /** How clients reach it. Each store gets a namespace of its own, which begins with that of the options. */
  readonly options: RedisOptions
  /** Deletes a key of Redis, as an operator would, on whatever node it is. */
  readonly del: (name: string) => Effect.Effect<unknown, unknown>
}

let stores = 0

/** A Redis, by whatever way: alone, a cluster, behind Sentinel. */
export const redisStore = (redis: Effect.Effect<RedisUnderTest>): Effect.Effect<ConformanceStore> =>
  Effect.map(redis, ({ del, options }) => {
    // Namespaces that share beginnings, so that a sloppy glob would reach into another.
    const namespace = `${options.namespace ?? "ns"}${"x".repeat(stores % 3)}:${stores++}`
    const names = makeNames(namespace)
    return {
      connect: makeRedisPrimitives({ timeout: "10 seconds", ...options, namespace }),
      // Redis has a clock of its own.
      advance: (millis) => Effect.sleep(millis),
      evict: (kind, name) => Effect.asVoid(Effect.orDie(del(kind === "epoch" ? names.epoch : names[kind](name))))
    }
  })

/** One server, for `redisStore`. */
export const alone = ({ raw, url }: RunningRedis): RedisUnderTest => ({
  options: { url },
  del: (name) => raw("DEL", name)
})
