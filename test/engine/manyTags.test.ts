/** An entry with more tags than memory keeps markers of is never hit, and a warning says so, once. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import { cacheAside, CacheClient, CacheMemory, CacheRegion, writeThrough } from "effect-cache"

const tags = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}`)

it.effect("a warning, once, of an entry that is stale as soon as it is stored", () =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const logger = Logger.layer([
      Logger.make(({ message }) => void lines.push(String(Array.isArray(message) ? message[0] : message)))
    ])
    let loads = 0
    const region = (name: string, count: number) =>
      CacheRegion.make({ key: `${name}:{id}`, schema: Schema.Number, tags: tags(name, count) })
    const run = (name: string, count: number) => {
      const Region = region(name, count)
      const get = cacheAside(Region)(({ id }: { readonly id: number }) =>
        Effect.sync(() => {
          loads++
          return id
        })
      )
      const put = writeThrough(Region)(({ id }: { readonly id: number }) => Effect.succeed(id))
      return Effect.gen(function*() {
        loads = 0
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* put({ id: 1 })
        yield* CacheClient.use((cache) => cache.set(Region, { id: 1 }, 1))
        return loads
      })
    }
    const found = yield* Effect.all([run("few", 9_000), run("many", 10_001)]).pipe(
      Effect.provide(CacheMemory.layer({ maxEntries: 10 })),
      Effect.provide(logger)
    )
    assert.deepStrictEqual(found, [1, 2])
    assert.deepStrictEqual(lines, [
      'effect-cache: an entry of "many:{id}" is stale as soon as it is stored, because it has more tags than memory keeps: give ' +
        "it fewer, or raise maxEntries and maxBytes of the layer"
    ])
  })
)
