/**
 * The commands that a store on Redis sends, and what they share.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { CacheError } from "../../../src/CacheError.ts"
import { readOne, textOf } from "../../../src/stores/redis/lookups.ts"
import { batchKeys } from "../../../src/stores/redis/wire/reads.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { sharedRedis } from "../../support/client.ts"
import { fresh, openCommands, admin, lookup, reasonOf, calls } from "./support.ts"

const sharedServer = sharedRedis()

describe("commands", () => {
  it.effect("reads of one key in one tick share a command, a later one does not", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const { backend } = yield* makeRedisPrimitives({ url: server.url })
        yield* plant(backend, "k", write(backend, 1))
        const before = yield* calls(client, "get")
        const found = yield* Effect.forEach(Array.from({ length: 1000 }), () => backend.read("k"), {
          concurrency: "unbounded"
        })
        assert.isTrue(found.every((bytes) => valueOf(backend, bytes) === 1))
        assert.strictEqual(yield* calls(client, "get"), before + 1)
        yield* backend.read("k")
        assert.strictEqual(yield* calls(client, "get"), before + 2)
      })
    )
  )

  it.effect("a read never shares a command that may be on the wire", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const { backend } = yield* makeRedisPrimitives({ url: server.url })
        yield* plant(backend, "k", write(backend, "old"))
        const before = yield* calls(client, "get")
        yield* server.pause
        const early = yield* Effect.forkChild(backend.read("k"), { startImmediately: true })
        // Two turns of the loop: the first command has left, and is not answered.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
        const late = yield* Effect.forkChild(backend.read("k"), { startImmediately: true })
        yield* server.resume
        yield* Fiber.join(early)
        yield* Fiber.join(late)
        assert.strictEqual(yield* calls(client, "get"), before + 2)
      })
    )
  )

  it.effect("reads go out last: they see every write of their tick, whichever was asked for first", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* sharedServer
        const { backend, tags } = yield* makeRedisPrimitives({ url, namespace: fresh() })
        const together = { concurrency: "unbounded" } as const
        const take = Effect.as(backend.takeOver("k", "a", 10_000, "refresh"), undefined)
        const fill = Effect.as(backend.fill("k", "a", write(backend, 1), "keep"), undefined)
        const filled = yield* Effect.all([backend.read("k"), take, fill, backend.read("k")], together)
        assert.deepStrictEqual(
          filled.map((bytes) => valueOf(backend, bytes)),
          [1, undefined, undefined, 1]
        )
        // Who asks after the removal was asked for shares the place of the one before, and must not see what it removes.
        const remove = Effect.as(backend.remove(["k"]), undefined)
        const removed = yield* Effect.all([backend.read("k"), remove, backend.read("k")], together)
        assert.deepStrictEqual(removed, [undefined, undefined, undefined])
        // The claim: an epoch that is read with a lease is not older than it.
        const [before] = yield* Effect.all([tags.epoch, tags.invalidate(["t"])], together)
        const [, after] = yield* Effect.all([backend.acquire("k", "b", 10_000), tags.epoch], together)
        assert.isAtLeast(after, before)
      })
    )
  )

  it.effect("reads of one tick are one command: entries, markers, the epoch, and a lookup with all of its tags", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const { backend, tags } = yield* makeRedisPrimitives({ url: server.url })
        yield* tags.ensure(["a", "b"], 60_000)
        yield* plant(backend, "k", write(backend, 1))
        const epoch = yield* tags.epoch
        yield* Effect.promise(() => client.config("RESETSTAT"))
        const [read, markers, now, looked, many] = yield* Effect.all(
          [
            backend.read("k"),
            tags.markers(["a", "gone", "b"]),
            tags.epoch,
            lookup(backend, "k", ["b", "a"]),
            backend.fast!.lookupMany!(["none", "k", "none", "k"], ["a"])
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([yield* calls(client, "mget"), yield* calls(client, "get")], [1, 0])
        assert.deepStrictEqual([markers, now], [[epoch, undefined, epoch], epoch])
        assert.deepStrictEqual([valueOf(backend, looked.stored), looked.markers], [1, [epoch, epoch]])
        assert.deepStrictEqual(many.markers, [epoch])
        assert.deepStrictEqual(
          many.stored.map((bytes) => valueOf(backend, bytes)),
          [undefined, 1, undefined, 1]
        )
        assert.strictEqual(valueOf(backend, read), 1)
        // Nothing asked for is nothing sent.
        assert.deepStrictEqual(yield* tags.markers([]), [])
        assert.deepStrictEqual(yield* backend.fast!.lookupMany!([], []), { stored: [], markers: [] })
        // No command holds the server up, however many keys are asked for.
        yield* Effect.promise(() => client.config("RESETSTAT"))
        const keys = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? "k" : `k${i}`))
        const found = yield* backend.fast!.lookupMany!(keys, ["a"])
        assert.strictEqual(found.stored.filter((bytes) => valueOf(backend, bytes) === 1).length, 500)
        assert.strictEqual(yield* calls(client, "mget"), Math.ceil(502 / batchKeys))
      })
    )
  )

  it.effect("a full command is sent while its turn goes on, behind what was queued before it", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const client = yield* admin(yield* sharedServer)
        const send = client.sendCommand.bind(client)
        const sent: Array<readonly [string, number]> = []
        client.sendCommand = (command, stream) => {
          sent.push([command.name, command.args.length])
          return send(command, stream)
        }
        const namespace = fresh()
        const commands = yield* openCommands({ client, namespace })
        const values = yield* Effect.all(
          [
            commands.one("write", "set", [`${namespace}:k0`, "0"], () => undefined),
            ...Array.from({ length: 300 }, (_, i) => readOne(commands.nodes, `${namespace}:k${i}`, textOf)),
            Effect.sync(() => [...sent])
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(values.at(-1), [
          ["set", 2],
          ["mget", batchKeys],
          ["mget", batchKeys]
        ])
        assert.deepStrictEqual(sent.slice(3), [["mget", 300 - 2 * batchKeys]])
        assert.deepStrictEqual(values.slice(1, 3), ["0", undefined])
      })
    )
  )

  it.effect("who hears that a command could not be sent may send at once: replies stay with their commands", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const client = yield* admin(yield* sharedServer)
        const namespace = fresh()
        const count = 2 * batchKeys + 44
        yield* Effect.promise(() =>
          client.mset(Array.from({ length: count }, (_, i) => [`${namespace}:k${i}`, `${i}`]).flat())
        )
        const send = client.sendCommand.bind(client)
        // As somebody's instrumentation of the driver might.
        client.sendCommand = (command, stream) => {
          if (command.args[0] === "bad") throw new Error("not sent")
          return send(command, stream)
        }
        const commands = yield* openCommands({ client, namespace })
        const readAll = Effect.forEach(
          Array.from({ length: count }, (_, i) => `${namespace}:k${i}`),
          (name) => readOne(commands.nodes, name, textOf),
          { concurrency: "unbounded" }
        )
        const [stored, read, first] = yield* Effect.all(
          [
            commands.one("write", "set", [`${namespace}:good`, "1"], String),
            Effect.catch(Effect.as(commands.one("write", "set", ["bad", "1"], String), []), () => readAll),
            readOne(commands.nodes, `${namespace}:k0`, textOf)
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([stored, first], ["OK", "0"])
        assert.deepStrictEqual(
          read,
          Array.from({ length: count }, (_, i) => `${i}`)
        )
      })
    )
  )

  it.effect("large and small entries of one flush arrive as they were sent, and are read together", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* sharedServer
        const { backend } = yield* makeRedisPrimitives({ url, namespace: fresh(), timeout: "20 seconds" })
        // Around what is written without a copy, and far more than one read of a socket gives.
        const sizes = [0, 1, 16_000, 16_384, 17_000, 100_000, 3, 1_000_000]
        const texts = sizes.map((size, i) => String.fromCharCode(97 + i, 228).repeat(size))
        yield* Effect.forEach(
          texts,
          (text, i) =>
            Effect.all(
              [
                backend.takeOver(`k${i}`, "a", 10_000, "write"),
                backend.fill(`k${i}`, "a", write(backend, text), "keep")
              ],
              { concurrency: "unbounded" }
            ),
          { concurrency: "unbounded" }
        )
        const { stored } = yield* backend.fast!.lookupMany!(
          texts.map((_, i) => `k${i}`),
          []
        )
        for (const [i, bytes] of stored.entries()) assert.isTrue(valueOf(backend, bytes) === texts[i], `${sizes[i]}`)
      })
    )
  )

  it.effect("what is foreign among other reads is missing, and does them no harm", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* admin(server)
        const namespace = fresh()
        const { backend, tags } = yield* makeRedisPrimitives({ url: server.url, namespace })
        yield* plant(backend, "k", write(backend, 1))
        yield* Effect.promise(() => client.hset(`${namespace}:e:{hash}`, "a", "1"))
        yield* Effect.promise(() => client.rpush(`${namespace}:t:list`, "1"))
        yield* Effect.promise(() => client.mset({ [`${namespace}:t:9`]: "9".repeat(16), [`${namespace}:t:p`]: "?x-1" }))
        const looked = yield* backend.fast!.lookupMany!(["hash", "k"], ["list", "9", "p"])
        assert.isUndefined(looked.stored[0])
        assert.strictEqual(valueOf(backend, looked.stored[1]), 1)
        assert.deepStrictEqual(looked.markers, [undefined, undefined, Infinity])
        assert.deepStrictEqual(yield* lookup(backend, "hash", []), {
          stored: undefined,
          markers: [],
          shared: undefined
        })
        assert.deepStrictEqual(yield* tags.markers(["list"]), [undefined])
      })
    )
  )

  it.effect("a list of another length fails all who read, and the next read works", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* admin(server)
        const send = client.sendCommand.bind(client)
        let meddle: ((command: Parameters<typeof send>[0]) => void) | undefined
        client.sendCommand = (command, stream) => {
          meddle?.(command)
          return send(command, stream)
        }
        const { backend, tags } = yield* makeRedisPrimitives({ client, namespace: fresh() })
        yield* plant(backend, "k", write(backend, 1))
        for (const wrong of ["mget", "exists", "dbsize"]) {
          meddle = (command) => {
            if (command.name !== "mget") return
            command.name = wrong
            command.args = command.args.slice(1)
          }
          const reasons = yield* Effect.all(
            [
              reasonOf(backend.read("k")),
              reasonOf(tags.markers(["a", "b"])),
              reasonOf(lookup(backend, "l", ["a"])),
              reasonOf(backend.fast!.lookupMany!(["k", "m"], []))
            ],
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(new Set(reasons), new Set(["Unavailable"]))
          meddle = undefined
          assert.strictEqual(valueOf(backend, (yield* lookup(backend, "k", ["a"])).stored), 1)
        }
      })
    )
  )

  it.effect("round trips: a read with markers 1, acquire and epoch 1, ensure 1, remove of 5000 keys 1", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const { backend, tags } = yield* makeRedisPrimitives({ port: proxy.port, namespace: fresh() })
        yield* tags.invalidate(["warm"])
        yield* tags.ensure(["warm"], 1000)
        yield* backend.remove(["warm"])
        const trips = (effect: Effect.Effect<unknown, CacheError>) =>
          Effect.gen(function*() {
            yield* backend.read("settle")
            proxy.reset()
            yield* effect
            return proxy.trips()
          })
        const together = { concurrency: "unbounded" } as const
        assert.strictEqual(yield* trips(Effect.all([backend.read("k"), tags.markers(["a", "b"])], together)), 1)
        assert.strictEqual(yield* trips(Effect.all([backend.acquire("k", "t", 1000), tags.epoch], together)), 1)
        assert.strictEqual(yield* trips(tags.ensure(["warm", "a"], 60_000)), 1)
        assert.strictEqual(yield* trips(tags.invalidate(["a", "b", "c"])), 2)
        // A large batch is one flush, but its replies may overlap with its last bytes: count what one write is.
        assert.strictEqual(yield* trips(backend.remove(Array.from({ length: 100 }, (_, i) => `k${i}`))), 1)
      })
    )
  )

  it.effect("scripts forgotten by the server are loaded again", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* admin(server)
        const { backend, locks, tags } = yield* makeRedisPrimitives({ url: server.url, namespace: fresh() })
        for (let i = 0; i < 3; i++) {
          yield* backend.acquire("k", `a${i}`, 10_000)
          assert.isTrue(yield* backend.renew("k", `a${i}`, 10_000))
          yield* tags.ensure([`t${i}`], 60_000)
          assert.isTrue(yield* backend.fill("k", `a${i}`, write(backend, i), "keep"))
          assert.strictEqual(valueOf(backend, yield* backend.read("k")), i)
          assert.strictEqual((yield* tags.markers([`t${i}`]))[0], yield* tags.epoch)
          yield* tags.invalidate(["x"])
          yield* backend.remove(["k", "l", "m"])
          assert.isNumber(yield* locks.acquire("l", `t${i}`, 1000))
          assert.isTrue(yield* locks.release("l", `t${i}`))
          yield* Effect.promise(() => client.script("FLUSH"))
        }
      })
    )
  )

  it.effect("entries and leases of hostile keys share a slot", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* admin(server)
        const namespace = fresh()
        const { backend } = yield* makeRedisPrimitives({ url: server.url, namespace })
        for (const key of ["", "}", "{", "a{b}c", "}{"]) {
          yield* plant(backend, key, write(backend, 1))
          yield* backend.acquire(key, "a", 60_000)
          const names = yield* Effect.promise(() => client.keys(`${namespace}:*`))
          assert.strictEqual(names.length, 2)
          assert.strictEqual(new Set(names.map((name) => /\{(.+?)\}/.exec(name)![1])).size, 1)
          yield* backend.remove([key])
        }
      })
    )
  )

  it.effect("foreign bytes and types are misses", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* admin(server)
        const ns = fresh()
        const { backend, tags } = yield* makeRedisPrimitives({ url: server.url, namespace: ns })
        yield* Effect.promise(() => client.hset(`${ns}:e:{k}`, "a", "1"))
        assert.isUndefined(yield* backend.read("k"))
        assert.isFalse(yield* backend.addTags("k", ["t"]))
        yield* plant(backend, "k", write(backend, 1))
        assert.strictEqual(valueOf(backend, yield* backend.read("k")), 1)
        yield* Effect.promise(() => client.set(`${ns}:e:{k}`, "junk"))
        assert.isFalse(yield* backend.addTags("k", ["t"]))
        for (const junk of ["", "x", "?", "-1", "1e9", "0x10", "nan", "inf", "9".repeat(16), "1".repeat(40)]) {
          // An epoch of digits is at its end: see `bookkeeping.test.ts`.
          const epoch = /^\d+$/.test(junk) ? {} : { [`${ns}:epoch`]: junk }
          yield* Effect.promise(() => client.mset({ [`${ns}:t:a`]: junk, ...epoch }))
          assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined], junk)
          yield* tags.ensure(["a"], 60_000)
          assert.strictEqual((yield* tags.markers(["a"]))[0], yield* tags.epoch)
          yield* Effect.promise(() => client.mset({ [`${ns}:t:a`]: junk, ...epoch }))
          yield* tags.invalidate(["a"])
          assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined], junk)
        }
      })
    )
  )
})
