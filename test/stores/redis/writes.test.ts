/**
 * The lease of writes on Redis: what it says is what `protocol/lease.ts` says, whatever was there.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { CacheError } from "../../../src/CacheError.ts"
import { asWriteToken, joined, left, maxListed, voided } from "../../../src/protocol/lease.ts"
import type { CacheBackend } from "../../../src/services/CacheBackend.ts"
import { sharedRedis } from "../../support/client.ts"
import { write } from "../../support/primitives.ts"
import { eventually, openStore, scoped } from "./support.ts"

const server = sharedRedis()
const setup = Effect.flatMap(server, openStore)

type Backend = CacheBackend["Service"]

const ttl = 60_000
const [one, two, three] = ["one", "two", "three"].map(asWriteToken) as [string, string, string]

describe("what the lease says", () => {
  it.effect(
    "is what the functions say",
    scoped(
      Effect.gen(function*() {
        const { backend, text } = yield* setup
        yield* backend.takeOver("k", one, ttl, "write")
        let expected = one
        const step = (what: string, next: string) =>
          Effect.map(text("l:{k}"), (found) => {
            assert.strictEqual(found, next, what)
            expected = next
          })
        yield* step("alone", one)
        yield* backend.takeOver("k", two, ttl, "write")
        yield* step("joined", joined(expected, two))
        yield* backend.takeOver("k", two, ttl, "write")
        yield* step("joined again", expected)
        yield* backend.remove(["k"])
        yield* step("an invalidation", voided(expected))
        yield* backend.takeOver("k", three, ttl, "write")
        yield* step("joined", joined(expected, three))
        yield* backend.takeOver("k", "set", ttl, "set")
        yield* step("a set", voided(expected))
        yield* backend.release("k", two, "keep")
        yield* step("the one in the middle ends", left(expected, two)!)
        yield* backend.release("k", two, "keep")
        yield* step("again, from the background", expected)
        yield* backend.release("k", one, "unlink")
        yield* step("the first ends", left(expected, one)!)
        yield* backend.release("k", three, "unlink")
        assert.isNull(yield* text("l:{k}"))
      })
    )
  )

  it.effect(
    "of more writes than are listed ends by itself",
    scoped(
      Effect.gen(function*() {
        const { backend, client, namespace, text } = yield* setup
        const tokens = Array.from({ length: maxListed + 2 }, (_, i) => asWriteToken(`${i}`))
        let expected = tokens[0]!
        for (const token of tokens) {
          yield* backend.takeOver("k", token, ttl, "write")
          expected = joined(expected, token)
          assert.strictEqual(yield* text("l:{k}"), expected)
        }
        assert.isTrue(yield* backend.renew("k", tokens.at(-1)!, 2 * ttl))
        assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:l:{k}`)), ttl)
        assert.isFalse(yield* backend.renew("k", "a load", ttl))
        for (const token of tokens) {
          assert.isFalse(yield* backend.fill("k", token, write(backend, 1), "unlink"))
          expected = left(expected, token)!
          assert.strictEqual(yield* text("l:{k}"), expected)
        }
        assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:l:{k}`)), 0)
        assert.strictEqual(yield* backend.acquire("k", "a load", ttl), expected)
      })
    )
  )
})

describe("whatever is in the place of a lease", () => {
  for (const [what, plant] of [
    ["a list", ["lpush", "v:1:w:one"]],
    ["nothing", ["set", ""]],
    ["no number", ["set", "v:x:w:one"]],
    ["no list", ["set", "v:1"]],
    ["nothing listed", ["set", "v:1:"]],
    ["nothing listed, and more", ["set", "v:1+:"]],
    ["no tokens", ["set", "v:1:,,"]],
    ["a token twice", ["set", "v:1:w:one,w:one"]],
    ["another line", ["set", "v:1:\n"]],
    ["a write without a name", ["set", "w:"]],
    ["a number too large", ["set", `v:${"9".repeat(400)}:w:one`]],
    ["much text", ["set", "x".repeat(100_000)]]
  ] as const) {
    it.effect(
      `no primitive breaks over it, and none leaves it without an end: ${what}`,
      scoped(
        Effect.gen(function*() {
          const { backend, client, namespace } = yield* setup
          const lease = `${namespace}:l:{k}`
          const filled = write(backend, 1)
          const primitives: ReadonlyArray<Effect.Effect<unknown, CacheError>> = [
            backend.remove(["k"]),
            backend.removeMatching("k"),
            backend.clear,
            backend.takeOver("k", two, ttl, "write"),
            backend.takeOver("k", "set", ttl, "set"),
            backend.takeOver("k", "refresh", ttl, "refresh"),
            backend.renew("k", two, ttl),
            backend.renew("k", "", ttl),
            backend.release("k", two, "keep"),
            backend.release("k", two, "unlink"),
            backend.fill("k", two, filled, "unlink"),
            backend.fill("k", "set", filled, "empty")
          ]
          for (const primitive of primitives) {
            yield* Effect.promise(async () => {
              await client.del(lease)
              await client.call(plant[0], lease, plant[1])
              await client.pexpire(lease, ttl)
            })
            yield* primitive
            assert.notStrictEqual(yield* Effect.promise(() => client.pttl(lease)), -1)
          }
          assert.isUndefined(yield* backend.read("k"))
        })
      )
    )
  }

  it.effect(
    "an invalidation ends a lease of writes that has no end",
    scoped(
      Effect.gen(function*() {
        const { backend, client, namespace, text } = yield* setup
        for (const said of [one, `v:3:${one}`]) {
          yield* Effect.promise(() => client.set(`${namespace}:l:{k}`, said))
          yield* backend.remove(["k"])
          assert.isNull(yield* text("l:{k}"))
        }
      })
    )
  )

  it.effect(
    "a number of changes that cannot grow is nobody's",
    scoped(
      Effect.gen(function*() {
        const { backend, client, namespace, text } = yield* setup
        yield* Effect.promise(() => client.set(`${namespace}:l:{k}`, `v:9007199254740992:${one}`, "PX", ttl))
        yield* backend.remove(["k"])
        assert.isNull(yield* text("l:{k}"))
      })
    )
  )
})

describe("a full Redis keeps the lease of writes", () => {
  for (const [what, change] of [
    ["remove", ({ remove }: Backend) => remove(["k"])],
    ["removeMatching", ({ removeMatching }: Backend) => removeMatching("k*")],
    ["a set", ({ takeOver }: Backend) => takeOver("k", "set", ttl, "set")],
    ["another write", ({ takeOver }: Backend) => takeOver("k", three, ttl, "write")],
    ["the end of one, filled", (backend: Backend) => backend.fill("k", two, write(backend, 1), "unlink")],
    ["the end of one", ({ release }: Backend) => release("k", two, "unlink")]
  ] as const) {
    it.effect(
      what,
      scoped(
        Effect.gen(function*() {
          const { backend, client, namespace, text } = yield* setup
          yield* backend.takeOver("k", one, ttl, "write")
          yield* backend.takeOver("k", two, ttl, "write")
          const full = (on: boolean) => Effect.promise(() => client.config("SET", "maxmemory", on ? "1" : "0"))
          yield* Effect.acquireRelease(full(true), () => full(false))
          yield* change(backend)
          assert.include(yield* text("l:{k}"), one)
          assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:l:{k}`)), 0)
        })
      )
    )
  }
})

for (const [how, end] of [
  ["a fill", (backend: Backend) => backend.fill("k", two, write(backend, 1), "unlink")],
  ["a release", ({ release }: Backend) => release("k", two, "unlink")],
  ["one in the background", ({ release }: Backend) => release("k", two, "keep")]
] as const) {
  it.effect(
    `who waits for writes hears of the end of the last: ${how}`,
    scoped(
      Effect.gen(function*() {
        const { backend, client, namespace } = yield* setup
        yield* backend.takeOver("k", one, ttl, "write")
        yield* backend.takeOver("k", two, ttl, "write")
        yield* backend.release("k", one, "unlink")
        const holder = yield* backend.acquire("k", "waits", ttl)
        const waiting = yield* Effect.forkChild(backend.awaitRelease("k", holder))
        yield* eventually(
          Effect.promise(async () => {
            const [, listening] = (await client.pubsub("NUMSUB", `${namespace}:n:k`)) as [string, number]
            return listening > 0
          })
        )
        assert.isUndefined(waiting.pollUnsafe())
        yield* end(backend)
        yield* Fiber.join(waiting)
      })
    )
  )
}

/** Its tokens do not say that they are a write's, its invalidations drop every lease, and its losing writer unlinks both. */
describe("a client of 0.1.0 beside", () => {
  const old = Effect.gen(function*() {
    const opened = yield* setup
    const { client, namespace } = opened
    const [entry, lease] = [`${namespace}:e:{k}`, `${namespace}:l:{k}`] as const
    return {
      ...opened,
      takeOver: Effect.promise(() => client.multi().set(lease, "old", "PX", ttl).unlink(entry).exec()),
      remove: Effect.promise(() => client.unlink(entry, lease)),
      fill: Effect.promise(async () => {
        if ((await client.get(lease)) !== "old") return Number(await client.unlink(entry, lease))
        return client.multi().set(entry, "of 0.1.0").unlink(lease).exec()
      })
    }
  })

  it.effect(
    "of two writers neither leaves a value, whoever comes first and ends first",
    scoped(
      Effect.gen(function*() {
        const { backend, client, fill, namespace, takeOver } = yield* old
        const mine = backend.takeOver("k", one, ttl, "write")
        const end = backend.fill("k", one, write(backend, 1), "unlink")
        for (const [first, second] of [
          [mine, takeOver],
          [takeOver, mine]
        ] as const) {
          for (const [sooner, later] of [
            [end, fill],
            [fill, end]
          ] as const) {
            yield* Effect.all([first, second] as ReadonlyArray<Effect.Effect<unknown, CacheError>>)
            yield* sooner as Effect.Effect<unknown, CacheError>
            yield* later as Effect.Effect<unknown, CacheError>
            const left = yield* Effect.promise(() => client.exists(`${namespace}:e:{k}`))
            assert.strictEqual(left, 0)
          }
        }
      })
    )
  )

  it.effect(
    "its invalidation during a write leaves nothing of it",
    scoped(
      Effect.gen(function*() {
        const { backend, remove } = yield* old
        yield* backend.takeOver("k", one, ttl, "write")
        yield* remove
        assert.isFalse(yield* backend.fill("k", one, write(backend, 1), "unlink"))
        assert.isUndefined(yield* backend.read("k"))
        assert.strictEqual(yield* backend.acquire("k", "load", ttl), "load")
      })
    )
  )
})
