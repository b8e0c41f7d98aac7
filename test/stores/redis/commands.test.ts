/**
 * What is particular to Redis: connections, deadlines, outages, secrets, scripts, lost bookkeeping.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, ManagedRuntime, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Redis, type RedisOptions as ClientOptions } from "ioredis"
import { inspect } from "node:util"
import { afterAll, vi } from "vitest"
import type { CacheError } from "../../../src/CacheError.ts"
import { Commands } from "../../../src/stores/redis/commands.ts"
import { readOne, textOf } from "../../../src/stores/redis/lookups.ts"
import { batchKeys } from "../../../src/stores/redis/wire/reads.ts"
import { type RedisOptions, resolve } from "../../../src/stores/redis/options/options.ts"
import { makeRedisPrimitives, openNodes } from "../../../src/stores/redis/primitives.ts"
import type { Lookup } from "../../../src/services/CacheBackend.ts"
import { plant, type Primitives, valueOf, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisServer, type RunningRedis } from "../../support/redisServer.ts"

const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer()))
afterAll(() => runtime.dispose())
const sharedServer = Effect.promise(() => runtime.runPromise(RedisServer))

let counter = 0
const fresh = () => `t${counter++}`

const openClient = (options: ClientOptions) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const settings = { ...options, lazyConnect: true, replyMapping: "legacy" as const }
      const client = new Redis(settings)
      client.on("error", () => {})
      await client.connect()
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )
/** What the primitives are made of, to look inside. */
const openCommands = (options: RedisOptions) =>
  Effect.gen(function*() {
    const resolved = yield* resolve(options)
    const context = yield* Effect.context<never>()
    return yield* Effect.acquireRelease(
      Effect.sync(() => new Commands(openNodes(resolved, context, resolved.client))),
      ({ nodes }) => Effect.promise(() => nodes.close())
    )
  })

const admin = (server: RunningRedis) => openClient({ port: server.port, host: server.host })

/** Real time, for what a server does by itself. Polls, so that nothing depends on how fast this host is. */
const eventually = <E>(condition: Effect.Effect<boolean, E>) =>
  TestClock.withLive(
    Effect.gen(function*() {
      for (let i = 0; i < 500; i++) {
        if (yield* condition) return
        yield* Effect.sleep(20)
      }
      assert.fail("it did not happen in time")
    })
  )

const lookup = ({ fast }: Primitives["backend"], key: string, tags: ReadonlyArray<string>) =>
  Effect.callback<Lookup, CacheError>((resume) => fast!.lookup!(key, tags, resume))

const reasonOf = <A>(effect: Effect.Effect<A, CacheError>) =>
  effect.pipe(
    Effect.flip,
    Effect.map((error) => error.reason._tag)
  )

const calls = (client: Redis, command: string) =>
  Effect.promise(async () => {
    const found = new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await client.info("commandstats"))
    return found === null ? 0 : Number(found[1])
  })

const captureLogs = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([
    Logger.make((options) => {
      lines.push(`${options.logLevel} ${inspect(options.message, { depth: 10 })} ${inspect(options.cause)}`)
    })
  ])
  return { lines, layer }
}

describe("options", () => {
  const refused: ReadonlyArray<readonly [RedisOptions, string]> = [
    [{ url: "http://h" }, "url"],
    [{ url: "redis://h:99999" }, "url"],
    [{ url: "nonsense hush" }, "url"],
    [{ url: "redis://u:hush@h/x" }, "url"],
    [{ url: "redis://u:hush@h/0?tls=1" }, "url"],
    [{ url: "redis://u:%zzhush@h/0" }, "url"],
    [{ port: 0 }, "port"],
    [{ port: 1.5 }, "port"],
    [{ db: -1 }, "db"],
    [{ host: "a b" }, "host"],
    [{ host: "redis://u:hush@h" }, "host"],
    [{ timeout: 0 }, "timeout"],
    [{ timeout: -1 }, "timeout"],
    [{ timeout: Infinity }, "timeout"],
    [{ timeout: "soon" as "1 second" }, "timeout"],
    [{ connectTimeout: "2 days" }, "connectTimeout"],
    [{ compressionThreshold: -1 }, "compressionThreshold"],
    [{ compressionThreshold: NaN }, "compressionThreshold"],
    [{ isolation: "x" as "clone" }, "isolation"],
    [{ name: "a b" }, "name"],
    ...[
      "",
      " ",
      "a b",
      "a{b",
      "}",
      "a*",
      "a?",
      "[a]",
      "a\\",
      "a\n",
      "\u0000",
      "\ud800",
      "a:t",
      "a:t:b",
      "x".repeat(129)
    ].map((namespace) => [{ namespace }, "namespace"] as const)
  ]
  it.effect.each(refused)("%j is refused", ([options, option]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(makeRedisPrimitives(options)))
      assert.strictEqual(error.reason._tag, "InvalidOption")
      if (error.reason._tag === "InvalidOption") assert.strictEqual(error.reason.option, option)
      assert.notInclude(inspect(error, { depth: 10 }), "hush")
    })
  )

  it.effect("namespaces that could name one key do not exist together; others do", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* sharedServer
        const base = fresh()
        for (const namespace of [base, `${base}:e`, `${base}:l`, `${base}:epoch`, `${base}:`, `${base}:tt`]) {
          const { backend, tags } = yield* makeRedisPrimitives({ url, namespace })
          yield* plant(backend, "k", write(backend, namespace))
          yield* tags.ensure(["epoch"], 60_000)
        }
        const outer = yield* makeRedisPrimitives({ url, namespace: base })
        yield* outer.backend.clear
        for (const namespace of [`${base}:e`, `${base}:l`, `${base}:epoch`, `${base}:`, `${base}:tt`]) {
          const { backend, tags } = yield* makeRedisPrimitives({ url, namespace })
          assert.strictEqual(valueOf(backend, yield* backend.read("k")), namespace)
          assert.isNumber((yield* tags.markers(["epoch"]))[0])
        }
      })
    )
  )
})

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
        const take = Effect.as(backend.takeOver("k", "a", 10_000, { unlink: false }), undefined)
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
                backend.takeOver(`k${i}`, "a", 10_000, { unlink: true }),
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
          yield* Effect.promise(() => client.mset({ [`${ns}:t:a`]: junk, [`${ns}:epoch`]: junk }))
          assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined], junk)
          yield* tags.ensure(["a"], 60_000)
          assert.strictEqual((yield* tags.markers(["a"]))[0], yield* tags.epoch)
          yield* Effect.promise(() => client.mset({ [`${ns}:t:a`]: junk, [`${ns}:epoch`]: junk }))
          yield* tags.invalidate(["a"])
          assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined], junk)
        }
      })
    )
  )
})

describe("lost bookkeeping", () => {
  const setup = Effect.gen(function*() {
    const server = yield* sharedServer
    const client = yield* admin(server)
    const namespace = fresh()
    const one = yield* makeRedisPrimitives({ url: server.url, namespace })
    const two = yield* makeRedisPrimitives({ url: server.url, namespace })
    yield* one.tags.invalidate(["warm"])
    return { client, server, namespace, one, two, marker: `${namespace}:t:a` }
  })

  it.effect("a pending text is above every epoch, and whoever ensures next confirms it", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, marker, one } = yield* setup
        yield* Effect.promise(() => client.set(marker, "?left-1", "PX", 60_000))
        assert.deepStrictEqual(yield* one.tags.markers(["a", "gone"]), [Infinity, undefined])
        yield* one.tags.ensure(["a"], 60_000)
        assert.strictEqual((yield* one.tags.markers(["a"]))[0], yield* one.tags.epoch)
        // An invalidation does not wait for whoever left it.
        yield* Effect.promise(() => client.set(marker, "?left-2", "PX", 60_000))
        yield* one.tags.invalidate(["a"])
        assert.deepStrictEqual(yield* one.tags.markers(["a"]), [undefined])
      })
    )
  )

  it.effect("an invalidation that is late does not bring a lost marker back below a later one", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, marker, namespace, one, server } = yield* setup
        // A client whose raise is on its way for as long as the test likes.
        const slow = yield* admin(server)
        const send = slow.sendCommand.bind(slow)
        let arrive: (() => void) | undefined
        slow.sendCommand = (command, stream) => {
          if (!command.args.includes(marker)) return send(command, stream)
          arrive = () => void send(command)
          return command.promise
        }
        const late = yield* makeRedisPrimitives({ client: slow, namespace, timeout: "30 seconds" })
        yield* one.tags.ensure(["a"], 60_000)
        const invalidation = yield* Effect.forkChild(late.tags.invalidate(["a"]), { startImmediately: true })
        yield* eventually(Effect.sync(() => arrive !== undefined))
        // What is loaded now is newer than that invalidation, and older than the next.
        const born = yield* one.tags.epoch
        yield* one.tags.invalidate(["a"])
        yield* Effect.promise(() => client.del(marker))
        arrive!()
        yield* Fiber.join(invalidation)
        yield* one.tags.ensure(["a"], 60_000)
        assert.isAbove((yield* one.tags.markers(["a"]))[0]!, born)
      })
    )
  )

  it.effect("a marker that is being made is Infinity to other processes, and then the epoch", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const during: Array<number | undefined> = []
        const { fast, found } = yield* between(async (_client, _marker, fast) => {
          during.push(...(await Effect.runPromise(fast.tags.markers(["a"]))))
        })
        // On a host that stalls, the confirmation may be there already.
        assert.isTrue(during[0] === Infinity || during[0] === found)
        assert.strictEqual(found, yield* fast.tags.epoch)
      })
    )
  )

  // The steps of `ensure` are pulled apart by a proxy that holds the confirmation back.
  const between = (meddle: (client: Redis, marker: string, fast: Primitives) => Promise<unknown>) =>
    Effect.gen(function*() {
      const server = yield* sharedServer
      const client = yield* admin(server)
      const proxy = yield* TcpProxy.scoped({ port: server.port })
      const namespace = fresh()
      const marker = `${namespace}:t:a`
      const slow = yield* makeRedisPrimitives({ port: proxy.port, namespace, timeout: "20 seconds" })
      const fast = yield* makeRedisPrimitives({ url: server.url, namespace })
      yield* slow.tags.invalidate(["warm"])
      proxy.delay(150)
      const born = yield* fast.tags.epoch
      const fiber = yield* Effect.forkChild(slow.tags.ensure(["a"], 60_000), { startImmediately: true })
      yield* eventually(Effect.promise(async () => (await client.get(marker))?.startsWith("?") === true))
      yield* Effect.promise(() => meddle(client, marker, fast))
      yield* Fiber.join(fiber)
      // Another command on the same connection: when it is answered, the confirmation has been carried out.
      yield* slow.tags.epoch
      return { born, fast, found: (yield* fast.tags.markers(["a"]))[0] }
    })

  it.effect("a marker evicted while it is being made stays missing", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { found } = yield* between((client, marker) => client.del(marker))
        assert.isUndefined(found)
      })
    )
  )

  it.effect("an invalidation while the marker is being made is not undone, even if its marker is evicted", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const kept = yield* between(async (client, marker) => {
          const epoch = Number(await client.incrby(marker.replace("t:a", "epoch"), 1000))
          await client.set(marker, String(epoch))
        })
        assert.isAbove(kept.found!, kept.born)
        const lost = yield* between(async (client, marker) => {
          await client.incrby(marker.replace("t:a", "epoch"), 1000)
          await client.set(marker, "1")
          await client.del(marker)
        })
        // Missing is stale; a marker at the epoch read before would bring entries back.
        assert.isTrue(lost.found === undefined || lost.found > lost.born)
      })
    )
  )

  it.effect("many processes that ensure one lost tag at once get it confirmed", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, marker, one, two } = yield* setup
        for (let i = 0; i < 20; i++) {
          yield* Effect.promise(() => client.del(marker))
          yield* Effect.all([one.tags.ensure(["a"], 1000), two.tags.ensure(["a"], 2000), one.tags.ensure(["a"], 500)], {
            concurrency: "unbounded"
          })
          yield* one.tags.epoch
          yield* two.tags.epoch
          assert.strictEqual((yield* one.tags.markers(["a"]))[0], yield* one.tags.epoch)
          assert.isAbove(yield* Effect.promise(() => client.pttl(marker)), 1000)
        }
      })
    )
  )

  it.effect("a pending text of somebody else is kept, so that loads at once do not undo each other's", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const { client, marker, namespace } = yield* setup
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const slow = yield* makeRedisPrimitives({ port: proxy.port, namespace, timeout: "20 seconds" })
        yield* slow.tags.epoch
        yield* Effect.promise(() => client.set(marker, "?left-1", "PX", 20_000))
        proxy.delay(150)
        const fiber = yield* Effect.forkChild(slow.tags.ensure(["a"], 90_000), { startImmediately: true })
        yield* eventually(Effect.promise(async () => (await client.pttl(marker)) > 20_000))
        // On a host that stalls, the confirmation may be there already.
        assert.match(String(yield* Effect.promise(() => client.get(marker))), /^(\?left-1|\d+)$/)
        yield* Fiber.join(fiber)
        yield* slow.tags.epoch
        assert.strictEqual((yield* slow.tags.markers(["a"]))[0], yield* slow.tags.epoch)
      })
    )
  )

  it.effect("a resent acquire is granted, and a lost reply of it too", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, namespace, one, two } = yield* setup
        yield* Effect.promise(() => client.set(`${namespace}:l:{k}`, "mine", "PX", 60_000))
        assert.strictEqual(yield* one.backend.acquire("k", "mine", 1000), "mine")
        assert.strictEqual(yield* two.backend.acquire("k", "yours", 1000), "mine")
      })
    )
  )

  it.effect("a hint crosses connections", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, one, two } = yield* setup
        yield* one.backend.acquire("k", "a", 60_000)
        const waiter = yield* Effect.forkChild(two.backend.awaitRelease("k", "a"), { startImmediately: true })
        const subscriptions = Effect.promise(async () =>
          Number(((await client.pubsub("CHANNELS")) as Array<string>).length)
        )
        yield* eventually(Effect.map(subscriptions, (n) => n === 1))
        yield* one.backend.fill("k", "a", write(one.backend, 1), "keep")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiter)))
        yield* eventually(Effect.map(subscriptions, (n) => n === 0))
        yield* one.backend.acquire("k", "b", 60_000)
        const left = yield* Effect.forkChild(two.backend.awaitRelease("k", "b"), { startImmediately: true })
        yield* eventually(Effect.map(subscriptions, (n) => n === 1))
        yield* Fiber.interrupt(left)
        yield* eventually(Effect.map(subscriptions, (n) => n === 0))
      })
    )
  )
})

describe("outages", () => {
  it.effect("a frozen server costs the deadline, and a late reply is ignored", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const { backend } = yield* makeRedisPrimitives({ url: server.url, timeout: 60 })
        yield* eventually(
          Effect.map(Effect.result(plant(backend, "k", write(backend, 1))), (r) => r._tag === "Success")
        )
        yield* server.pause
        const reasons = yield* Effect.forEach([1, 2, 3], () => reasonOf(backend.read("k")), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(reasons, ["TimedOut", "TimedOut", "TimedOut"])
        assert.strictEqual(yield* reasonOf(backend.remove(["k"])), "TimedOut")
        yield* server.resume
        yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
        // Late, the removal was carried out all the same: the caller was told that it is not known.
        assert.isUndefined(yield* backend.read("k"))
      })
    )
  )

  it.effect("a server that is away fails at once, is warned about once, and is used again when it is back", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const { backend, tags } = yield* makeRedisPrimitives({ url: server.url, timeout: "20 seconds" })
        yield* plant(backend, "k", write(backend, 1))
        yield* server.stop
        // The deadline is far away: what ends here, ends because the connection is known to be down.
        yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Failure"))
        assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
        assert.strictEqual(yield* reasonOf(backend.remove(["k"])), "Unavailable")
        assert.strictEqual(yield* reasonOf(tags.invalidate(["k"])), "Unavailable")
        assert.strictEqual(yield* reasonOf(backend.usage), "Unavailable")
        // What was in flight fails before the log has a turn.
        yield* eventually(Effect.sync(() => logs.lines.length > 0))
        assert.strictEqual(logs.lines.filter((line) => line.startsWith("Warn")).length, 1, logs.lines.join("\n"))
        yield* server.start
        yield* eventually(
          Effect.map(Effect.result(plant(backend, "k", write(backend, 2))), (r) => r._tag === "Success")
        )
        assert.strictEqual(valueOf(backend, yield* backend.read("k")), 2)
        assert.isTrue(logs.lines.some((line) => line.startsWith("Info") && line.includes("is back")))
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("commands in flight fail when the connection breaks, and are not carried out later", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const namespace = fresh()
        const direct = yield* makeRedisPrimitives({ url: server.url, namespace })
        // A client that resends what was in flight, as ioredis does unless told otherwise.
        const client = yield* openClient({ port: proxy.port, retryStrategy: () => 10 })
        for (const [options, value] of [
          [{ client }, "late"],
          [{ client }, "large ".repeat(20_000)],
          [{ port: proxy.port }, "late"]
        ] as const) {
          const { backend } = yield* makeRedisPrimitives({ ...options, namespace, timeout: "20 seconds" })
          yield* backend.read("k")
          // The lease is there, so that nothing but its loss keeps the fill from being carried out.
          yield* direct.backend.takeOver("k", "a", 60_000, { unlink: false })
          proxy.blackhole(true)
          const late = write(backend, value)
          const fill = yield* Effect.forkChild(reasonOf(backend.fill("k", "a", late, "keep")), {
            startImmediately: true
          })
          proxy.reset()
          yield* eventually(Effect.sync(() => proxy.bytes() > 0))
          proxy.blackhole(false)
          proxy.cut()
          assert.strictEqual(yield* Fiber.join(fill), "Unavailable")
          yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
          assert.isUndefined(yield* direct.backend.read("k"))
        }
      })
    )
  )

  // What was in flight when its caller was told that it failed must not be carried out by a client that resends.
  const resends = [
    ["its deadline passed", { timeout: 100 }, {}, "TimedOut"],
    ["its client gave it up", { timeout: "20 seconds" }, { commandTimeout: 100 }, "Unavailable"]
  ] as const
  it.effect.each(resends)("a command is not carried out after %s", ([, options, settings, reason]) =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const namespace = fresh()
        const direct = yield* makeRedisPrimitives({ url: server.url, namespace })
        yield* direct.tags.invalidate(["warm"])
        const client = yield* openClient({ port: proxy.port, retryStrategy: () => 10, ...settings })
        const { backend, tags } = yield* makeRedisPrimitives({ client, namespace, ...options })
        const works = Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success")
        // First lost on the wire, then put into the client's offline queue.
        for (const lose of [
          Effect.sync(() => proxy.blackhole(true)),
          Effect.sync(() => Object.defineProperty(client.stream, "writable", { value: false }))
        ]) {
          yield* eventually(works)
          yield* lose
          const reasons = yield* Effect.all(
            [reasonOf(backend.acquire("k", "late", 60_000)), reasonOf(tags.ensure(["a"], 60_000))],
            {
              concurrency: "unbounded"
            }
          )
          assert.deepStrictEqual(reasons, [reason, reason])
          proxy.blackhole(false)
          client.stream.destroy()
          yield* eventually(works)
          assert.strictEqual(yield* direct.backend.acquire("k", "free", 60_000), "free")
          assert.isTrue(yield* direct.backend.release("k", "free", "keep"))
          // R1: a pending text that comes back could be confirmed with an epoch from before an invalidation.
          assert.deepStrictEqual(yield* direct.tags.markers(["a"]), [undefined])
        }
      })
    )
  )

  it.effect("what waits for a connect that does not come is dropped at its deadline", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        proxy.blackhole(true)
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis({ port: proxy.port }).on("error", () => {})),
          (client) => Effect.sync(() => client.disconnect())
        )
        const commands = yield* openCommands({ client, timeout: 20 })
        const ask = (key: string) => readOne(commands.nodes, key, textOf)
        const [connection] = commands.nodes.primaries()
        for (let i = 0; i < 3; i++) {
          const reading = yield* Effect.forkChild(
            Effect.all([reasonOf(ask("a")), reasonOf(ask("b"))], { concurrency: 2 }),
            {
              startImmediately: true
            }
          )
          assert.strictEqual(connection?.waiting, 2)
          assert.deepStrictEqual(yield* Fiber.join(reading), ["TimedOut", "TimedOut"])
          yield* eventually(Effect.sync(() => connection?.waiting === 0))
        }
      })
    )
  )

  it.effect("reads while the server is away leave nothing behind", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const nobody = yield* RedisServer.scoped()
        yield* nobody.stop
        const commands = yield* openCommands({ url: nobody.url, timeout: "20 seconds" })
        const read = (key: string) => reasonOf(readOne(commands.nodes, key, textOf))
        assert.strictEqual(yield* read("first"), "Unavailable")
        for (let i = 0; i < 100; i++) assert.strictEqual(yield* read(`k${i}`), "Unavailable")
        assert.strictEqual(commands.nodes.primaries()[0]?.waiting, 0)
      })
    ).pipe(Effect.provide(captureLogs().layer))
  )

  it.effect("a client that has given up is connected again", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const commands = yield* openCommands({ url: server.url })
        const read = readOne(commands.nodes, fresh(), textOf)
        yield* read
        // As ioredis does when sentinels name another primary while it asks for one.
        commands.nodes.primaries()[0]!.client.disconnect()
        yield* eventually(Effect.isFailure(read))
        yield* eventually(Effect.isSuccess(read))
      })
    ).pipe(Effect.provide(captureLogs().layer))
  )

  it.effect("two short freezes with replies between them are not one long silence", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const { backend } = yield* makeRedisPrimitives({ url: server.url, timeout: 100 })
        const works = eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
        const connection = Effect.promise(
          async () => /id=(\d+) .*name=effect-cache /.exec(String(await client.client("LIST")))?.[1]
        )
        const freeze = Effect.gen(function*() {
          yield* server.pause
          assert.strictEqual(yield* reasonOf(backend.read("k")), "TimedOut")
          yield* server.resume
        })
        yield* works
        const before = yield* connection
        assert.isDefined(before)
        yield* freeze
        yield* works
        // A minute goes by.
        const now = performance.now.bind(performance)
        const later = vi.spyOn(performance, "now").mockImplementation(() => now() + 60_000)
        yield* Effect.addFinalizer(() => Effect.sync(() => later.mockRestore()))
        yield* freeze
        yield* works
        assert.strictEqual(yield* connection, before)
      })
    )
  )

  it.effect("a connection that went silent is given up", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const { backend } = yield* makeRedisPrimitives({
          port: proxy.port,
          namespace: fresh(),
          timeout: 50,
          connectTimeout: 200
        })
        // The deadline is short, and this host may be busy.
        yield* eventually(
          Effect.map(Effect.result(plant(backend, "k", write(backend, 1))), (r) => r._tag === "Success")
        )
        proxy.blackhole(true)
        yield* eventually(Effect.map(reasonOf(backend.read("k")), (reason) => reason === "Unavailable"))
        // The next connection gets as far as its handshake, which is swallowed; it must be given up too.
        proxy.reset()
        yield* eventually(Effect.sync(() => proxy.bytes() > 0))
        proxy.blackhole(false)
        yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
      })
    )
  )

  it.effect("the first commands wait for the connect; with nobody there they fail, and the layer does not", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const logs = captureLogs()
        const { backend } = yield* makeRedisPrimitives({ url: server.url, namespace: fresh() })
        assert.isUndefined(yield* backend.read("k"))
        const nobody = yield* RedisServer.scoped()
        yield* nobody.stop
        const away = yield* Effect.provide(
          makeRedisPrimitives({ url: nobody.url.replace("//", "//user:hush@"), timeout: "20 seconds" }),
          logs.layer
        )
        const error = yield* Effect.flip(away.backend.read("k"))
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.include(error.message, `127.0.0.1:${nobody.port}`)
        assert.strictEqual(logs.lines.length, 1)
        assert.notInclude(inspect(error, { depth: 10 }) + logs.lines.join(), "hush")
        yield* nobody.start
        yield* nobody.raw("ACL", "SETUSER", "user", "on", ">hush", "~*", "+@all")
        yield* eventually(Effect.map(Effect.result(away.backend.read("k")), (result) => result._tag === "Success"))
      })
    )
  )
})

describe("access", () => {
  it.effect("a user without channels, a password and a database", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({
          acl: [
            "user default off",
            "user app on >hush~%1 ~app:* +@all -@dangerous +info",
            "user root on >root ~* &* +@all"
          ]
        })
        const client = yield* openClient({ port: server.port, username: "root", password: "root", db: 3 })
        for (const options of [
          { url: `redis://app:${encodeURIComponent("hush~%1")}@127.0.0.1:${server.port}/3` },
          { url: Redacted.make(server.url), username: "app", password: Redacted.make("hush~%1"), db: 3 }
        ] satisfies ReadonlyArray<RedisOptions>) {
          const { backend } = yield* makeRedisPrimitives({ ...options, namespace: "app" })
          yield* backend.acquire("k", "a", 1000)
          assert.isTrue(yield* backend.fill("k", "a", write(backend, 1), "keep"))
          assert.strictEqual(yield* Effect.promise(() => client.exists("app:e:{k}")), 1)
          yield* backend.clear
        }
      })
    )
  )

  it.effect("TLS, with and without trust", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ tls: true })
        const { backend } = yield* makeRedisPrimitives({ url: server.url, tls: { ca: server.ca! } })
        yield* plant(backend, "k", write(backend, 1))
        assert.strictEqual(valueOf(backend, yield* backend.read("k")), 1)
        const distrustful = yield* makeRedisPrimitives({ url: server.url })
        assert.strictEqual(yield* reasonOf(distrustful.backend.read("k")), "Unavailable")
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("no secret is in any error or log", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ requirepass: "right" })
        const secret = "s3cr3t/p@ss"
        for (const options of [
          { url: `redis://someone:${encodeURIComponent(secret)}@127.0.0.1:${server.port}` },
          { url: server.url, password: Redacted.make(secret) },
          {
            client: yield* Effect.acquireRelease(
              Effect.sync(() =>
                new Redis({ port: server.port, password: secret, retryStrategy: () => 50 }).on("error", () => {})
              ),
              (client) => Effect.sync(() => client.disconnect())
            )
          }
        ] satisfies ReadonlyArray<RedisOptions>) {
          const { backend } = yield* makeRedisPrimitives(options)
          const exit = yield* Effect.exit(
            backend.fill("secret-key", "secret-token", write(backend, "secret-value"), "keep")
          )
          assert.isTrue(Exit.isFailure(exit))
          const text = inspect(exit, { depth: 20, showHidden: true }) + JSON.stringify(exit)
          for (const word of [secret, encodeURIComponent(secret), "secret-value", "secret-token"])
            assert.notInclude(text, word)
          assert.match(text, /WRONGPASS|NOAUTH|is down|was closed/)
        }
        const all = logs.lines.join("\n")
        assert.isAbove(logs.lines.length, 0)
        assert.notInclude(all, "s3cr3t")
      })
    ).pipe(Effect.provide(logs.layer))
  })
})

describe("closing", () => {
  const connections = (client: Redis) =>
    Effect.promise(
      async () =>
        String(await client.client("LIST"))
          .trim()
          .split("\n").length
    )

  it.effect("closes every connection of its own, also with a waiter and commands in flight", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        assert.strictEqual(yield* connections(client), 1)
        yield* Effect.scoped(
          Effect.gen(function*() {
            const { backend } = yield* makeRedisPrimitives({ url: server.url })
            yield* backend.acquire("k", "a", 60_000)
            yield* Effect.forkChild(backend.awaitRelease("k", "a"), { startImmediately: true })
            yield* eventually(Effect.map(connections(client), (n) => n === 3))
            yield* backend.takeOver("in-flight", "a", 60_000, { unlink: false })
            const fill = backend.fill("in-flight", "a", write(backend, 1), "keep")
            yield* Effect.forkDetach(fill, { startImmediately: true })
          })
        )
        assert.strictEqual(yield* connections(client), 1)
        assert.strictEqual(yield* Effect.promise(() => client.exists("ec:e:{in-flight}")), 1)
      })
    )
  )

  it.effect("what is used after the end fails, and ending during the connect or an outage leaves nothing", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const early = yield* Effect.scoped(makeRedisPrimitives({ url: server.url }))
        assert.strictEqual(yield* reasonOf(early.backend.read("k")), "Unavailable")
        yield* eventually(Effect.map(connections(client), (n) => n === 1))
        yield* Effect.scoped(
          Effect.gen(function*() {
            yield* makeRedisPrimitives({ url: server.url.replace(/\d+$/, "1") })
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          })
        )
      })
    )
  )

  it.effect("your own client is used as it is, left open, and left without our listeners", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* openClient({ port: server.port, keyPrefix: "mine:", enableAutoPipelining: true })
        const count = () => client.eventNames().map((name) => [name, client.listenerCount(name)])
        const before = count()
        yield* Effect.scoped(
          Effect.gen(function*() {
            const { backend } = yield* makeRedisPrimitives({ client })
            yield* plant(backend, "k", write(backend, 1))
            assert.strictEqual(valueOf(backend, yield* backend.read("k")), 1)
            yield* backend.acquire("k", "a", 60_000)
            yield* Effect.forkChild(backend.awaitRelease("k", "a"), { startImmediately: true })
            yield* eventually(Effect.map(connections(client), (n) => n === 2))
          })
        )
        assert.deepStrictEqual(count(), before)
        assert.strictEqual(client.status, "ready")
        assert.strictEqual(yield* Effect.promise(() => client.set("x", "1")), "OK")
        assert.strictEqual(yield* connections(client), 1)
        const error = yield* Effect.flip(Effect.scoped(makeRedisPrimitives({ client, db: 1 })))
        assert.strictEqual(error.reason._tag, "InvalidOption")
      })
    )
  )

  it.effect("a client of yours may give numbers as text", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* openClient({ port: server.port, stringNumbers: true })
        const { backend, locks, tags } = yield* makeRedisPrimitives({ client, timeout: "30 seconds" })
        assert.strictEqual(yield* backend.acquire("k", "a", 60_000), "a")
        assert.isTrue(yield* backend.renew("k", "a", 60_000))
        assert.isFalse(yield* backend.renew("k", "b", 60_000))
        assert.isFalse(yield* backend.fill("k", "b", write(backend, 1), "keep"))
        assert.isTrue(yield* backend.fill("k", "a", write(backend, 1), "keep"))
        assert.isTrue(yield* backend.addTags("k", ["t"]))
        assert.isFalse(yield* backend.addTags("nothing", ["t"]))
        assert.strictEqual(
          yield* reasonOf(
            backend.addTags(
              "k",
              Array.from({ length: 70_000 }, (_, i) => `${i}`)
            )
          ),
          "Unavailable"
        )
        yield* backend.acquire("l", "a", 60_000)
        assert.isTrue(yield* backend.release("l", "a", "keep"))
        assert.isFalse(yield* backend.release("l", "a", "keep"))
        yield* tags.ensure(["t"], 60_000)
        assert.deepStrictEqual(yield* tags.markers(["t"]), [yield* tags.epoch])
        assert.isNumber(yield* locks.acquire("m", "a", 60_000))
        assert.isUndefined(yield* locks.acquire("m", "b", 60_000))
        assert.isTrue(yield* locks.extend("m", "a", 60_000))
        assert.isFalse(yield* locks.extend("m", "b", 60_000))
        assert.isTrue(yield* locks.release("m", "a"))
        assert.isFalse(yield* locks.release("m", "a"))
        // The entry, the marker, the epoch and the fence.
        assert.strictEqual((yield* backend.usage).entries, 4)
        assert.strictEqual(yield* backend.remove(["k", "nothing"]), 1)
        yield* plant(backend, "k1", write(backend, 1))
        yield* plant(backend, "k2", write(backend, 1))
        assert.strictEqual(yield* backend.removeMatching("k*"), 2)
      })
    )
  )

  it.effect("a lazy client of yours is connected", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis({ port: server.port, lazyConnect: true })),
          (client) => Effect.sync(() => client.disconnect())
        )
        const { backend } = yield* makeRedisPrimitives({ client, namespace: fresh() })
        assert.isUndefined(yield* backend.read("k"))
      })
    )
  )
})
