/**
 * Values without a schema where callers have copies: what a structured clone would change comes back as it was, or is not
 * stored. The same on every layer, because such values never leave the process.
 */
import { assert, it } from "@effect/vitest"
import { Data, Duration, Effect, Exit, type Layer, Logger, type LogLevel, Option, Result } from "effect"
import { CacheClient, type CacheServices, memoize } from "../../src/index.ts"

/** What is logged as a warning, or at another level. */
export const warnings = (level: LogLevel.LogLevel = "Warn") => {
  const texts: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === level) texts.push(JSON.stringify(message))
  })
  return { texts, layer: Logger.layer([logger]) satisfies Layer.Layer<never> }
}

class Point extends Data.Class<{ readonly x: number }> {}

const changed: ReadonlyArray<readonly [name: string, value: unknown]> = [
  ["none", Option.none()],
  ["some", Option.some("Ann")],
  ["failure", Result.fail("refused")],
  ["exit", Exit.fail("refused")],
  ["duration", Duration.seconds(5)],
  ["instance", new Point({ x: 1 })],
  ["inside", { list: [Option.none()] }],
  ["bytes of Node", Buffer.from("a")],
  ["function", () => 1],
  ["deep", Array.from({ length: 5_000 }).reduce<object>((value) => ({ value }), {})]
]

export const withoutSchema = (
  on: <A, E>(test: Effect.Effect<A, E, CacheServices>) => Effect.Effect<A, unknown>
): void => {
  const live = <A, E>(name: string, test: Effect.Effect<A, E, CacheServices>) => it.live(name, () => on(test))

  for (const [name, value] of changed) {
    live(
      `without a schema: ${name} stays what it is, is shared by the callers of one load, and not stored`,
      Effect.gen(function*() {
        let loads = 0
        const { layer, texts } = warnings()
        const find = memoize({ name: `find ${name}` })((_: number) =>
          Effect.delay(
            Effect.sync(() => {
              loads++
              return value
            }),
            20
          )
        )
        yield* Effect.gen(function*() {
          for (let i = 1; i <= 2; i++) {
            const all = yield* Effect.all([find(1), find(1), find(1)], { concurrency: "unbounded" })
            for (const each of all) assert.strictEqual(each, value)
            assert.strictEqual(loads, i)
            assert.isTrue(Option.isNone(yield* find.peek(1)))
          }
          assert.strictEqual(yield* find(1), value)
          assert.strictEqual(yield* find.refresh(1), value)
        }).pipe(Effect.provide(layer))
        const told = texts.filter((text) => text.includes(`find ${name}`))
        assert.strictEqual(told.length, 1, told.join("\n"))
        assert.include(told[0], "isolation")
        // There are none where the store is away.
        const stats = yield* Effect.option(CacheClient.use((client) => client.stats))
        if (Option.isSome(stats)) assert.strictEqual(stats.value.inFlight, 0)
      })
    )
  }

  live(
    "without a schema: what a structured clone keeps is stored, and each caller has a copy",
    Effect.gen(function*() {
      let loads = 0
      const value = { at: new Date(1), by: new Map([["a", { list: [1, -0, undefined] }]]), _tag: "Some" }
      const find = memoize({ name: "kept" })((_: number) =>
        Effect.delay(
          Effect.sync(() => {
            loads++
            return value
          }),
          20
        )
      )
      const three = Effect.all([find(1), find(1), find(1)], { concurrency: "unbounded" })
      const all = [...(yield* three), ...(yield* three), Option.getOrThrow(yield* find.peek(1))]
      assert.strictEqual(loads, 1)
      assert.strictEqual(new Set(all.map(({ by }) => by.get("a"))).size, 7)
      for (const each of all) {
        assert.deepStrictEqual(each, { ...value })
        each.by.clear()
      }
      assert.deepStrictEqual((yield* find(1)).by.get("a"), { list: [1, -0, undefined] })
    })
  )
}
