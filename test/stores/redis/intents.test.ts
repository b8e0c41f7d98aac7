/**
 * Intents on Redis: what is stored, what is made of what others have stored there, and a server that is full.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { maxText } from "../../../src/protocol/intent.ts"
import type { Intent, Intents } from "../../../src/services/CacheBackend.ts"
import { keptMillis, maxPlace } from "../../../src/stores/redis/intentScripts.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { sharedRedis } from "../../support/client.ts"
import { eventually, openStore, reasonOf, scoped } from "./support.ts"

const server = sharedRedis()
const intent: Intent = { keys: ["l"], patterns: ["l:*"], tags: ["t"] }

const setup = Effect.map(Effect.flatMap(server, openStore), (store) => {
  const { backend, client, namespace } = store
  const intents = backend.intents!
  const hash = `${namespace}:i:{k}`
  const index = `${namespace}:intents`
  const call = (name: string, ...args: ReadonlyArray<string | number | Buffer>) =>
    Effect.promise(() => client.call(name, ...args))
  /** Waits until all that was put down to end at once has ended. */
  const ended = (count: number) => eventually(Effect.map(intents.ended("k"), (found) => found.length === count))
  /** Whether any stands beside the key. */
  const stands = Effect.promise(async () => (await client.exists(hash)) === 1)
  return { ...store, intents, hash, index, call, ended, stands }
})

const settleAll = (intents: Intents) =>
  Effect.flatMap(intents.ended("k"), (found) => Effect.forEach(found, intents.settle))

describe("intents on Redis", () => {
  it.effect(
    "stand beside the lease, outlive their end, and leave nothing when they are dropped",
    scoped(
      Effect.gen(function*() {
        const { call, client, hash, index, intents } = yield* setup
        assert.isTrue(yield* intents.put("k", "w:1", intent, 5_000))
        const text = String(yield* call("HGET", hash, "w:1"))
        assert.match(text, /^\d{16}:\[\["l"\],\["l:\*"\],\["t"\]\]$/)
        for (const name of [hash, index]) {
          const left = yield* Effect.promise(() => client.pttl(name))
          assert.isAbove(left, keptMillis)
          assert.isAtMost(left, keptMillis + 5_000)
        }
        assert.deepStrictEqual(yield* call("ZRANGE", index, 0, -1), ['["k","w:1"]'])
        // A shorter one takes nothing of the life of another.
        yield* intents.put("k", "w:2", intent, 1_000_000)
        yield* intents.put("k", "w:3", intent, 1)
        yield* intents.renew("k", "w:1", 1)
        assert.isAbove(yield* Effect.promise(() => client.pttl(hash)), keptMillis + 900_000)
        for (const token of ["w:1", "w:2", "w:3"]) yield* intents.drop([{ key: "k", token }])
        assert.strictEqual(yield* Effect.promise(() => client.exists(hash, index)), 0)
      })
    )
  )

  it.effect(
    "are put down by the take-over in one script, which wants them neither whole nor possible",
    scoped(
      Effect.gen(function*() {
        const { backend, call, client, hash, index, intents } = yield* setup
        const lease = `${hash.slice(0, -"i:{k}".length)}l:{k}`
        const take = (give?: "header") => backend.takeOver("k", "w:1", 5_000, "write", give, intent)
        const all = Effect.promise(() => client.exists(lease, hash, index))
        for (const give of [undefined, "header"] as const) {
          const taken = yield* take(give)
          assert.deepStrictEqual([taken.holder, taken.unlinked], ["w:1", undefined])
          yield* taken.intended!
          assert.match(String(yield* call("HGET", hash, "w:1")), /^\d{16}:\[\["l"\],\["l:\*"\],\["t"\]\]$/)
          assert.isAbove(yield* Effect.promise(() => client.pttl(hash)), keptMillis)
          assert.isAtMost(yield* Effect.promise(() => client.pttl(lease)), 5_000)
          assert.strictEqual(yield* all, 3)
          yield* intents.drop([{ key: "k", token: "w:1" }])
          // What is no hash goes.
          yield* call("SET", hash, "x")
          yield* (yield* take(give)).intended!
          yield* intents.drop([{ key: "k", token: "w:1" }])
          yield* call("UNLINK", lease)
        }
        const maxmemory = (value: number) => call("CONFIG", "SET", "maxmemory", value)
        yield* maxmemory(1)
        const full = yield* Effect.ensuring(take(), maxmemory(0))
        assert.strictEqual(full.holder, "w:1")
        assert.isUndefined(full.intended)
        // A lease may be longer than an intent.
        const days = 3 * 86_400_000
        yield* backend.takeOver("k", "w:2", days, "write", undefined, intent)
        const end = Number(String(yield* call("HGET", hash, "w:2")).slice(0, 16)) / 1000
        // The server counts microseconds.
        assert.isAtMost(end, Date.now() + 86_400_001)
        assert.isAbove(yield* Effect.promise(() => client.pttl(lease)), 86_400_000)
      })
    )
  )

  it.effect(
    "of a user who may not touch them: he takes over and fills without",
    scoped(
      Effect.gen(function*() {
        const running = yield* server
        const { client, namespace } = yield* openStore(running)
        const username = `without-intents:${namespace}`
        const rules = ["on", ">pw", "resetkeys", ...["e", "l"].map((kind) => `~${namespace}:${kind}:*`), "allchannels"]
        yield* Effect.promise(() => client.call("ACL", "SETUSER", username, ...rules, "+@all"))
        const options = { url: running.url, username, password: "pw", namespace, timeout: "10 seconds" } as const
        const { backend } = yield* makeRedisPrimitives(options)
        const taken = yield* backend.takeOver("k", "w:1", 5_000, "write", "entry", intent)
        assert.deepStrictEqual([taken.holder, taken.intended], ["w:1", undefined])
        assert.isFalse(yield* backend.intents!.put("k", "w:1", intent, 5_000))
        assert.isTrue(
          yield* backend.fill("k", "w:1", { stored: new Uint8Array(30), ttlMillis: 1_000 }, "unlink", () => {
            assert.fail("told of intents")
          })
        )
      })
    )
  )

  it.live(
    "of a user who may not write them: he is told which command is refused",
    scoped(
      Effect.gen(function*() {
        const running = yield* server
        const { client, namespace } = yield* openStore(running)
        const username = `without-hset:${namespace}`
        yield* Effect.promise(() =>
          client.call("ACL", "SETUSER", username, "on", ">pw", "~*", "allchannels", "+@all", "-hset")
        )
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        const options = { url: running.url, username, password: "pw", namespace, timeout: "10 seconds" } as const
        const { backend } = yield* makeRedisPrimitives(options).pipe(Effect.provide(Logger.layer([logger])))
        assert.isUndefined((yield* backend.takeOver("k", "w:1", 5_000, "write", undefined, intent)).intended)
        assert.isFalse(yield* backend.intents!.put("k", "w:1", intent, 5_000))
        assert.include(lines.join("\n"), "refuses HSET")
        assert.notInclude(lines.join("\n"), "refuses EVAL")
      })
    )
  )

  it.effect(
    "what nobody put there goes, and what is no intent is an empty one",
    scoped(
      Effect.gen(function*() {
        const { call, hash, intents } = yield* setup
        yield* intents.put("k", "w:live", intent, 60_000)
        const future = (BigInt(Date.now()) + 60_000n) * 1000n
        const foreign: ReadonlyArray<readonly [string | Buffer, string | Buffer]> = [
          ["w:no end", "x"],
          ["", `1:[["k"],[],[]]`],
          ["has space", `1:[["k"],[],[]]`],
          [Buffer.from([0xff, 0xfe]), `1:[["k"],[],[]]`],
          ["x".repeat(257), `1:[["k"],[],[]]`],
          ["w:long", `1:${"x".repeat(maxText + 100)}`],
          ["w:digits", `${"1".repeat(17)}:[[],[],[]]`],
          ["w:negative", "-1:[[],[],[]]"],
          ["w:nothing", ""]
        ]
        for (const [field, value] of foreign) yield* call("HSET", hash, field, value)
        const empty: ReadonlyArray<readonly [string, string | Buffer]> = [
          ["w:json", "1:[["],
          ["w:other", `1:{"keys":[]}`],
          ["w:types", "1:[[1],[],[]]"],
          ["w:bytes", Buffer.from([0x31, 0x3a, 0xff])],
          // Nobody puts one down for so long.
          ["w:far", `${future + 100_000_000_000n}:[[]]`]
        ]
        for (const [field, value] of empty) yield* call("HSET", hash, field, value)
        const found = yield* intents.ended("k")
        assert.sameMembers(
          found.map(({ token }) => token),
          empty.map(([token]) => token)
        )
        for (const { intent } of found) assert.deepStrictEqual(intent, { keys: [], patterns: [], tags: [] })
        assert.isTrue((yield* settleAll(intents)).every((settled) => settled))
        assert.deepStrictEqual(yield* call("HKEYS", hash), ["w:live"])
      })
    )
  )

  it.effect(
    "a hash of very many is taken in parts, and comes to its end",
    scoped(
      Effect.gen(function*() {
        const { call, hash, intents, stands } = yield* setup
        for (let i = 0; i < 1_500; i += 500) {
          yield* call("HSET", hash, ...Array.from({ length: 500 }, (_, j) => [`w:${i + j}`, `1:[["k"],[],[]]`]).flat())
        }
        let settled = 0
        for (;;) {
          const some = yield* settleAll(intents)
          assert.isAtMost(some.length, 32)
          settled += some.length
          if (some.length === 0) break
        }
        assert.strictEqual(settled, 1_500)
        assert.isFalse(yield* stands)
      })
    ),
    30_000
  )

  for (const [name, value] of [
    ["a string", "SET"],
    ["a list", "RPUSH"]
  ] as const) {
    it.effect(
      `${name} in the place of either is nothing, and makes room`,
      scoped(
        Effect.gen(function*() {
          const { call, ended, hash, index, intents } = yield* setup
          const plant = Effect.forEach([hash, index], (one) =>
            Effect.andThen(call("UNLINK", one), call(value, one, "x"))
          )
          yield* plant
          assert.deepStrictEqual(yield* intents.ended("k"), [])
          assert.deepStrictEqual((yield* intents.sweep(1_000, 10)).found, [])
          yield* plant
          assert.isFalse(yield* intents.renew("k", "w:1", 1_000))
          yield* plant
          assert.isFalse(yield* intents.settle({ key: "k", token: "w:1", text: "", intent }))
          yield* intents.forget([{ key: "k", token: "w:1", mark: "1" }])
          yield* plant
          yield* intents.put("k", "w:1", intent, 1)
          yield* ended(1)
          assert.strictEqual((yield* intents.sweep(1_000, 10)).found.length, 1)
        })
      )
    )
  }

  it.effect(
    "what is no place leaves the index, and a turn that is too far ahead holds nobody off",
    scoped(
      Effect.gen(function*() {
        const { call, index, intents } = yield* setup
        const foreign = ["x", "[]", '["k"]', '["k",1]', '[ "k","w:1"]', "é", "x".repeat(maxPlace + 1), "", " "]
        for (const place of foreign) yield* call("ZADD", index, 1, place)
        yield* call("ZADD", index, 1, Buffer.from([0xff]))
        yield* call("ZADD", index, "-inf", '["k","w:1"]')
        yield* call("ZADD", index, "inf", "sweep")
        const { found } = yield* intents.sweep(1_000, 100)
        assert.deepStrictEqual(
          found.map(({ key, token }) => [key, token]),
          [["k", "w:1"]]
        )
        yield* intents.forget(found)
        assert.deepStrictEqual(yield* call("ZRANGE", index, 0, -1), ["sweep"])
      })
    )
  )

  it.effect(
    "what has ended for the index and not for the hash is kept",
    scoped(
      Effect.gen(function*() {
        const { call, index, intents } = yield* setup
        yield* intents.put("k", "w:1", intent, 60_000)
        // The clock of the other server is behind.
        yield* call("ZADD", index, 1, '["k","w:1"]')
        const { found } = yield* intents.sweep(1_000, 10)
        assert.strictEqual(found.length, 1)
        assert.deepStrictEqual(yield* intents.ended("k"), [])
        yield* intents.forget(found)
        assert.include((yield* call("ZRANGE", index, 0, -1)) as ReadonlyArray<string>, '["k","w:1"]')
      })
    )
  )

  it.effect(
    "a server that is full takes no new one, renews those that are there, and gives up what is done",
    scoped(
      Effect.gen(function*() {
        const { call, ended, intents, stands } = yield* setup
        yield* intents.put("k", "w:1", intent, 1)
        yield* intents.put("k", "w:2", intent, 60_000)
        yield* ended(1)
        const maxmemory = (value: number) => call("CONFIG", "SET", "maxmemory", value)
        yield* maxmemory(1)
        yield* Effect.gen(function*() {
          assert.strictEqual(yield* reasonOf(intents.put("k", "w:3", intent, 1_000)), "NoRoom")
          assert.isTrue(yield* stands)
          assert.isTrue(yield* intents.renew("k", "w:1", 60_000))
          assert.isTrue(yield* intents.renew("k", "w:1", 1))
          yield* ended(1)
          const { found } = yield* intents.sweep(1_000, 10)
          // The third was told to the index before it was refused.
          assert.include(
            found.map(({ token }) => token),
            "w:1"
          )
          assert.deepStrictEqual(yield* settleAll(intents), [true])
          yield* intents.forget(found)
          yield* intents.drop([{ key: "k", token: "w:2" }])
          yield* intents.drop([{ key: "k", token: "w:3" }])
          assert.isFalse(yield* stands)
        }).pipe(Effect.ensuring(maxmemory(0)))
      })
    )
  )
})
