/**
 * What a store on Redis does when epoch, markers or replies were lost.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import type { Redis } from "ioredis"
import type { CacheError } from "../../../src/CacheError.ts"
import { cacheAside, CacheClient, invalidateTags } from "../../../src/index.ts"
import { CacheRedis } from "../../../src/redis/index.ts"
import type { Lookup } from "../../../src/services/CacheBackend.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { plant, type Primitives, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { buildClient, sharedRedis } from "../../support/client.ts"
import { quietly, until, untilBack } from "../../support/faultyRun.ts"
import { fresh, admin, eventually } from "./support.ts"

const sharedServer = sharedRedis()

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
        const { lookup, lookupMany } = one.backend.fast!
        const found = yield* Effect.callback<Lookup, CacheError>((resume) => lookup!("k", ["a", "gone"], resume))
        assert.deepStrictEqual(found.markers, [Infinity, undefined])
        assert.deepStrictEqual((yield* lookupMany!(["k"], ["gone", "a"])).markers, [undefined, Infinity])
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

describe("an epoch at its end", () => {
  const end = 9_007_199_254_740_991
  const setup = (epoch: string) =>
    Effect.gen(function*() {
      const server = yield* sharedServer
      const client = yield* admin(server)
      const namespace = fresh()
      const store = yield* makeRedisPrimitives({ url: server.url, namespace })
      yield* Effect.promise(() => client.set(`${namespace}:epoch`, epoch))
      return { client, server, namespace, ...store }
    })
  const refused = <A>(self: Effect.Effect<A, CacheError>, namespace: string) =>
    Effect.map(Effect.flip(self), ({ reason }) => {
      assert.strictEqual(reason._tag, "InvalidKey")
      assert.include(reason.message, `"${namespace}:epoch": the epoch is at its end`)
    })

  for (const epoch of [`${end - 1}`, `${end}`, "99999999999999999999"]) {
    it.effect(`${epoch}: invalidations are refused by name, nothing is born, and clear begins anew`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { backend, client, namespace, tags } = yield* setup(epoch)
          yield* refused(tags.invalidate(["a"]), namespace)
          yield* refused(tags.invalidate(["a"]), namespace)
          yield* refused(tags.epoch, namespace)
          yield* refused(tags.ensure(["a"], 60_000), namespace)
          // A load that began before, and one whose entry is there.
          yield* backend.acquire("loading", "old", 60_000)
          yield* plant(backend, "k", write(backend, 1))
          yield* backend.clear
          assert.isFalse(yield* backend.fill("loading", "old", write(backend, 1), "keep"))
          assert.isUndefined(yield* backend.read("k"))
          assert.isNull(yield* Effect.promise(() => client.get(`${namespace}:epoch`)))
          const born = yield* tags.epoch
          assert.isBelow(born, end - 1)
          assert.isAbove(born, 1_600_000_000_000_000)
          yield* tags.ensure(["a"], 60_000)
          assert.isAtMost((yield* tags.markers(["a"]))[0]!, born)
          yield* tags.invalidate(["a"])
          assert.isAbove((yield* tags.markers(["a"]))[0]!, born)
        })
      )
    )
  }

  it.effect("one below is an epoch as any other", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { namespace, tags } = yield* setup(`${end - 2}`)
        assert.strictEqual(yield* tags.epoch, end - 2)
        yield* tags.invalidate(["a"])
        assert.strictEqual(yield* tags.epoch, end - 1)
        yield* refused(tags.invalidate(["a"]), namespace)
      })
    )
  )

  it.live("a clear that breaks off leaves it at its end, and the next finishes", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { backend, client, namespace, server, tags } = yield* setup(`${end - 1}`)
        yield* plant(backend, "k", write(backend, 1))
        const user = `scanless-${namespace}`
        yield* Effect.promise(() => client.acl("SETUSER", user, "on", "nopass", "~*", "&*", "+@all", "-scan"))
        const cut = yield* makeRedisPrimitives({ url: `redis://${user}:x@127.0.0.1:${server.port}`, namespace })
        yield* Effect.flip(cut.backend.clear)
        yield* refused(tags.epoch, namespace)
        yield* backend.clear
        assert.isBelow(yield* tags.epoch, end - 1)
        assert.isUndefined(yield* backend.read("k"))
      })
    )
  )

  it.live("the cache is left alone, nothing old is read, and clear is let through", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, namespace, server } = yield* setup("1")
        const made = yield* buildClient(CacheRedis.layer({ url: server.url, namespace, timeout: "10 seconds" }))
        let row = 1
        const get = cacheAside({ key: "row", schema: Schema.Number, tags: ["rows"] })(Effect.sync(() => row))
        assert.strictEqual(yield* made.run(get), 1)
        yield* Effect.promise(() => client.set(`${namespace}:epoch`, `${end - 1}`))
        row = 2
        yield* refused(made.run(invalidateTags(["rows"])), namespace)
        assert.strictEqual(yield* made.run(get), 2)
        row = 3
        assert.strictEqual(yield* made.run(get), 3)
        const cleared = made.run(CacheClient.use((cache) => cache.clear))
        yield* until(() => "it is cleared", Effect.match(cleared, { onFailure: () => false, onSuccess: () => true }))
        yield* untilBack(made)
        yield* made.run(get)
        row = 4
        assert.strictEqual(yield* made.run(get), 3)
        yield* made.run(invalidateTags(["rows"]))
        assert.strictEqual(yield* made.run(get), 4)
      })
    ).pipe(quietly)
  )
})
