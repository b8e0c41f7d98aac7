/** What reads says which parameters are no part of its key. The compiler looks at that; when it runs, it is checked only. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cacheAside, CacheError, CacheRegion, memoize, stampedeProtect } from "effect-cache"
import { inProcess } from "../support/layers.ts"

const Users = CacheRegion.make({ key: "user:{id}", schema: Schema.String, ttl: "1 minute" })
type Params = { readonly id: string; readonly requestId: string }

const reasonOf = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    assert.instanceOf(error, CacheError)
    return error.reason.message
  }
  return "nothing was refused"
}

describe("ignore", () => {
  const load = ({ id }: { readonly id: string }) => Effect.succeed(id)
  const expected = "expected an array of names and numbers of parameters"
  const wrong = [
    ["requestId", `ignore is "requestId", ${expected}`],
    [[true], `ignore is [true], ${expected}`],
    [{ requestId: true }, `ignore is an object, ${expected}`]
  ] as const

  it.each(wrong)("%j is refused wherever it is given", (ignore, message) => {
    const options = { ...Users, ignore: ignore as never }
    const made: ReadonlyArray<() => unknown> = [
      () => cacheAside(Users, { ignore: ignore as never }),
      () => cacheAside(options),
      () => cacheAside(load, options),
      () => stampedeProtect(Users, { ignore: ignore as never }),
      () => stampedeProtect(load, options),
      () => memoize({ key: "m:{id}", ignore: ignore as never }),
      () => memoize(load, { key: "m:{id}", ignore: ignore as never })
    ]
    assert.deepStrictEqual(
      made.map(reasonOf),
      made.map(() => message)
    )
  })

  it("belongs to what reads, not to a region", () => {
    assert.strictEqual(
      reasonOf(() => CacheRegion.make({ key: "a:{id}", schema: Schema.String, ...{ ignore: ["requestId"] } })),
      'ignore is ["requestId"], expected none in a region: give it to what reads, as in cacheAside(region, { ignore })'
    )
  })

  it("what is added to a region is checked as in options", () => {
    assert.match(
      reasonOf(() => stampedeProtect(Users, { waitTimeout: "0 millis" })),
      /^waitTimeout is/
    )
    assert.match(
      reasonOf(() => stampedeProtect(Users, { onTimeout: "stale" as never })),
      /^onTimeout is "stale"/
    )
  })

  for (const [name, layer] of inProcess) {
    it.effect(`on ${name}, calls that differ in what is ignored share a value`, () =>
      Effect.gen(function*() {
        let loads = 0
        const once = ({ id, requestId }: Params) => Effect.sync(() => `${id} ${requestId} ${++loads}`)
        const reads = [
          cacheAside(Users, { ignore: ["requestId"] })(once),
          cacheAside({ ...Users, ignore: ["requestId"] })(once),
          cacheAside(once, { key: "user:{id}", schema: Schema.String, ttl: "1 minute", ignore: ["requestId"] }),
          stampedeProtect(Users, { ignore: ["requestId"], waitTimeout: "10 seconds" })(once)
        ]
        const found = yield* Effect.forEach(reads, (read, i) => read({ id: "1", requestId: `r${i}` }))
        assert.deepStrictEqual(
          found,
          found.map(() => "1 r0 1")
        )
        const page = cacheAside({ key: "page:{0}", schema: Schema.String, ignore: [1] })(
          (at: number, _signal: AbortSignal) => Effect.sync(() => `${at} ${++loads}`)
        )
        const signal = new AbortController().signal
        assert.strictEqual(yield* page(1, signal), yield* page(1, AbortSignal.abort()))
      }).pipe(Effect.provide(layer))
    )
  }
})
