/** What the compiler refuses in words, of who has no types: refused in words, too, where it is given. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import {
  buildCacheKey,
  cacheAside,
  CacheError,
  CacheKey,
  CacheMemory,
  CacheRegion,
  EncodeFailed,
  memoize,
  NoRoom,
  stampedeProtect,
  Unavailable,
  writeAround,
  writeThrough
} from "effect-cache"

const Users = CacheRegion.make({ key: "user:{id}", schema: Schema.String, ttl: "1 minute" })
const load = ({ id }: { readonly id: string }) => Effect.succeed(id)
const any = (value: unknown): any => value

const messageOf = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    assert.instanceOf(error, CacheError)
    return error.message
  }
  return "nothing was refused"
}

describe("a mistake", () => {
  it("memoize without options", () => {
    for (const first of [load, Effect.succeed(1)]) {
      assert.strictEqual(
        messageOf(() => any(memoize)(first)),
        "InvalidOption: memoize is given a loader alone, expected options too: memoize needs { name }, or { key }"
      )
    }
  })

  it("a loader without a region", () => {
    for (const pattern of [cacheAside, stampedeProtect, writeThrough, writeAround]) {
      assert.strictEqual(
        messageOf(() => any(pattern)(load)),
        "InvalidOption: options is undefined, expected an object of options"
      )
    }
  })

  it("a generator function, or an async one, in the place of a loader", () => {
    const loaders: ReadonlyArray<readonly [loader: unknown, kind: string]> = [
      [
        function*() {
          yield* Effect.succeed(1)
        },
        "a generator function"
      ],
      [async () => 1, "an async function"]
    ]
    for (const [loader, kind] of loaders) {
      for (const wrap of [
        () => cacheAside(Users)(any(loader)),
        () => cacheAside(any(loader), Users),
        () => memoize({ name: "mistake" })(any(loader)),
        () => writeThrough(Users)(any(loader)),
        () => writeAround(Users)(any(loader)),
        () => writeAround({ keys: ["a"] })(any(loader))
      ]) {
        assert.strictEqual(
          messageOf(wrap),
          `InvalidOption: loader is ${kind}, expected a function that returns an effect, or an effect: wrap it with Effect.fn or Effect.tryPromise`
        )
      }
    }
    // What they are wrapped with is none of these.
    cacheAside(Users)(
      Effect.fn("load")(function*({ id }: { readonly id: string }) {
        return yield* Effect.succeed(id)
      })
    )
  })

  it("options beside keys", () => {
    assert.strictEqual(
      messageOf(() => any(writeAround)({ keys: ["a"] }, { onCacheError: "fail" })),
      "InvalidOption: options is given beside { keys }, expected all in one: { keys, ...options }"
    )
  })

  it("a template that is no text", () => {
    const expected = 'InvalidKey: "5": a template is a text, such as "user:{userId}"'
    assert.strictEqual(
      messageOf(() =>
        CacheKey.make(
          any(5),
          any(() => ({}))
        )
      ),
      expected
    )
    assert.strictEqual(
      messageOf(() => any(buildCacheKey)(5)),
      expected
    )
  })

  it.effect("a write that returns no effect is named", () =>
    Effect.gen(function*() {
      const removeAll = (_: string) => 5
      const exit = yield* Effect.exit(any(writeAround)({ keys: ["a"] })(removeAll)("a") as Effect.Effect<void>)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "the loader removeAll of")
    }).pipe(Effect.provide(CacheMemory.layer()))
  )
})

describe("the message of an error", () => {
  const huge = "x".repeat(100_000)
  const causes: ReadonlyArray<readonly [name: string, cause: unknown]> = [
    [
      "whose text throws",
      {
        toString: () => {
          throw new Error("no")
        }
      }
    ],
    ["without a prototype", Object.create(null)],
    [
      "whose message throws",
      Object.defineProperty(new Error(), "message", {
        get: () => {
          throw new Error("no")
        }
      })
    ],
    ["that is revoked", any(Proxy.revocable({}, {})).proxy],
    ["that is long", new Error(huge)],
    ["that is a long text", huge],
    ["that is a symbol", Symbol("a")]
  ]
  for (const [name, cause] of causes) {
    it(`is made of a cause ${name}, and short`, () => {
      for (const reason of [
        new EncodeFailed({ key: "k", cause }),
        new Unavailable({ backend: "redis", operation: "read", cause }),
        new NoRoom({ backend: "redis", operation: "read", cause })
      ]) {
        const { message } = new CacheError({ reason })
        assert.isBelow(message.length, 2_200)
        assert.isAbove(message.length, 10)
      }
    })
  }
})
