/**
 * A Redis that is at its `maxmemory` and finds nothing to evict: what stores is refused, what invalidates and what reads is not.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "ioredis"
import type { CacheError } from "../../../src/CacheError.ts"
import type { TagIndex } from "../../../src/services/TagIndex.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { sharedRedis } from "../../support/client.ts"
import { plant, write } from "../../support/primitives.ts"
import { admin, captureLogs, fresh, lookup, openClient, reasonOf } from "./support.ts"

const sharedServer = sharedRedis()

const ttl = 60_000

const setup = Effect.gen(function*() {
  const server = yield* sharedServer
  const client = yield* admin(server)
  const namespace = fresh()
  const primitives = yield* makeRedisPrimitives({ url: server.url, namespace })
  const full = (on: boolean) => Effect.promise(() => client.config("SET", "maxmemory", on ? "1" : "0"))
  yield* Effect.addFinalizer(() => full(false))
  const text = (name: string) => Effect.promise(() => client.get(`${namespace}:${name}`))
  return { server, client, namespace, ...primitives, full, text }
})

const scoped =
  <A, E>(test: Effect.Effect<A, E, import("effect").Scope.Scope>) =>
  () =>
    Effect.scoped(test)

describe("a full Redis", () => {
  it.effect(
    "moves the epoch on, and what cannot be raised goes",
    scoped(
      Effect.gen(function*() {
        const { backend, full, tags, text } = yield* setup
        const born = yield* tags.epoch
        yield* tags.ensure(["a", "b"], ttl)
        yield* backend.acquire("k", "one", ttl)
        assert.isTrue(yield* backend.fill("k", "one", write(backend, "v", ttl, { born, tags: ["a"] }), "keep"))
        yield* full(true)
        yield* tags.invalidate(["a"])
        assert.isAbove(yield* tags.epoch, born)
        assert.isNull(yield* text("t:a"))
        assert.isNotNull(yield* text("t:b"))
        const { markers, stored } = yield* lookup(backend, "k", ["a"])
        assert.isDefined(stored)
        assert.deepStrictEqual(markers, [undefined])
        // With room again the marker comes back above what was born before.
        yield* full(false)
        yield* tags.ensure(["a"], ttl)
        assert.isAbove((yield* tags.markers(["a"]))[0]!, born)
      })
    )
  )

  it.effect(
    "clears, and removes by key and by pattern",
    scoped(
      Effect.gen(function*() {
        const { backend, full, tags } = yield* setup
        const born = yield* tags.epoch
        for (const key of ["k:1", "k:2", "o"]) {
          yield* backend.acquire(key, "one", ttl)
          yield* backend.fill(key, "one", write(backend, "v", ttl, { born }), "keep")
        }
        yield* full(true)
        assert.strictEqual(yield* backend.remove(["k:1"]), 1)
        assert.strictEqual(yield* backend.removeMatching("k:*"), 1)
        yield* backend.clear
        assert.isUndefined(yield* backend.read("o"))
        assert.isAbove(yield* tags.epoch, born)
      })
    )
  )

  it.effect(
    "makes an epoch that was lost, and settles a marker, but takes nothing new in",
    scoped(
      Effect.gen(function*() {
        const { backend, client, full, locks, namespace, tags, text } = yield* setup
        const born = yield* tags.epoch
        yield* backend.acquire("k", "one", ttl)
        yield* backend.fill("k", "one", write(backend, "v", ttl, { born }), "keep")
        yield* Effect.promise(() => client.set(`${namespace}:t:a`, "?left-1", "PX", ttl))
        yield* Effect.promise(() => client.unlink(`${namespace}:epoch`))
        yield* full(true)
        assert.isAbove(yield* tags.epoch, born)
        yield* tags.ensure(["a"], ttl)
        assert.deepStrictEqual(yield* tags.markers(["a"]), [yield* tags.epoch])
        assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:t:a`)), 0)
        assert.strictEqual(yield* reasonOf(backend.acquire("new", "one", ttl)), "NoRoom")
        assert.strictEqual(yield* reasonOf(tags.ensure(["new"], ttl)), "NoRoom")
        assert.strictEqual(yield* reasonOf(backend.addTags("k", ["new"])), "NoRoom")
        assert.strictEqual(yield* reasonOf(locks.acquire("new", "one", ttl)), "NoRoom")
        assert.isNull(yield* text("t:new"))
        assert.isNull(yield* text("l:{new}"))
      })
    )
  )

  it.effect(
    "renews and releases leases and locks that are held",
    scoped(
      Effect.gen(function*() {
        const { backend, full, locks } = yield* setup
        yield* backend.acquire("k", "one", ttl)
        yield* locks.acquire("lock", "one", ttl)
        yield* full(true)
        assert.isTrue(yield* backend.renew("k", "one", ttl))
        assert.isTrue(yield* backend.release("k", "one", "keep"))
        assert.isTrue(yield* locks.extend("lock", "one", ttl))
        assert.isTrue(yield* locks.release("lock", "one"))
      })
    )
  )

  for (const [onLost, left] of [
    ["keep", true],
    ["unlink", false],
    ["empty", false]
  ] as const) {
    it.effect(
      `refuses a fill, gives its lease back, and ${left ? "keeps" : "removes"} the entry ("${onLost}")`,
      scoped(
        Effect.gen(function*() {
          const { backend, full, tags, text } = yield* setup
          const born = yield* tags.epoch
          yield* backend.acquire("k", "one", ttl)
          yield* backend.fill("k", "one", write(backend, "old", ttl, { born }), "keep")
          yield* backend.acquire("k", "two", ttl)
          yield* full(true)
          assert.isFalse(yield* backend.fill("k", "two", write(backend, "new", ttl, { born }), onLost))
          assert.strictEqual((yield* backend.read("k")) !== undefined, left)
          assert.isNull(yield* text("l:{k}"))
        })
      )
    )
  }

  for (const unlink of [true, false]) {
    it.effect(
      `takes a lease from whoever holds it, and holds none itself (${unlink ? "without" : "with"} the entry)`,
      scoped(
        Effect.gen(function*() {
          const { backend, full, tags, text } = yield* setup
          const born = yield* tags.epoch
          yield* backend.acquire("k", "one", ttl)
          yield* backend.fill("k", "one", write(backend, "old", ttl, { born }), "keep")
          yield* backend.acquire("k", "two", ttl)
          yield* full(true)
          yield* backend.takeOver("k", "three", ttl, { unlink })
          assert.isNull(yield* text("l:{k}"))
          assert.strictEqual((yield* backend.read("k")) !== undefined, !unlink)
          // Also when there is room again.
          yield* full(false)
          assert.isFalse(yield* backend.fill("k", "two", write(backend, "older", ttl, { born }), "keep"))
          assert.isFalse(yield* backend.fill("k", "three", write(backend, "new", ttl, { born }), "empty"))
          assert.isUndefined(yield* backend.read("k"))
        })
      )
    )
  }

  it.effect("is told of once, not with every call", () => {
    const { layer, lines } = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const { backend, full } = yield* setup
        yield* full(true)
        for (let i = 0; i < 5; i++) yield* Effect.exit(backend.acquire(`k${i}`, "one", ttl))
        const warnings = lines.filter((line) => line.startsWith("Warn"))
        assert.strictEqual(warnings.length, 1, warnings.join("\n"))
        assert.match(warnings[0]!, /is full: OOM command not allowed.*maxmemory-policy/)
      })
    ).pipe(Effect.provide(layer))
  })
})

describe("a server that carries out no script when it is full", () => {
  const oom = "OOM command not allowed when used memory > 'maxmemory'."

  interface Refusing {
    /** What was sent and answered, in order: of the commands that remove, and of those that look. */
    readonly seen: Array<string>
    /** Whether scripts are refused. */
    full: boolean
    /** Before this command is sent, once. */
    before: Readonly<Record<string, () => Promise<unknown>>>
  }

  const refusing = (client: Redis, problem: string): Refusing => {
    const state: Refusing = { seen: [], full: true, before: {} }
    const send = client.sendCommand.bind(client)
    client.sendCommand = (command, stream) => {
      if (command.name.startsWith("eval") && state.full) {
        const error = new Error(problem)
        error.name = "ReplyError"
        command.reject(error)
        return command.promise
      }
      const name = String(command.args[0] ?? "").replace(/^\w+:/, "")
      const label = command.name === "unlink" ? name : `${command.name} ${name}`.trim()
      if (command.name === "unlink" || label === "get epoch" || label === "time") {
        state.seen.push(`send ${label}`)
        const { resolve } = command
        command.resolve = (reply: unknown) => {
          state.seen.push(`reply ${label}`)
          resolve(reply)
        }
      }
      const { [label]: meddle, ...rest } = state.before
      if (meddle === undefined) return send(command, stream)
      state.before = rest
      void meddle().then(() => send(command))
      return command.promise
    }
    return state
  }

  const look = ["send get epoch", "reply get epoch", "send time", "reply time"]
  const forget = [...look, "send epoch", "reply epoch"]

  /** Beside the primitives of a healthy connection those of one whose scripts are refused. */
  const besides = (problem = oom) =>
    Effect.gen(function*() {
      const healthy = yield* setup
      const client = yield* openClient({ port: healthy.server.port, host: healthy.server.host })
      const other = yield* makeRedisPrimitives({ client, namespace: healthy.namespace, timeout: "20 seconds" })
      const put = (epoch: string) => Effect.promise(() => healthy.client.set(`${healthy.namespace}:epoch`, epoch))
      const clock = Effect.promise(async () => {
        const [seconds, micros] = await healthy.client.time()
        return Number(seconds) * 1_000_000 + Number(micros)
      })
      return { ...healthy, clock, other, put, refusing: refusing(client, problem) }
    })

  for (const problem of [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR Error running script (call to f_0123): @user_script:3: @user_script: 3: -OOM command not allowed when used memory > 'maxmemory'."
  ]) {
    it.effect(
      `removes the epoch, acknowledged, and then the markers (${problem.slice(0, 3)})`,
      scoped(
        Effect.gen(function*() {
          const { other, refusing, tags } = yield* besides(problem)
          const { seen } = refusing
          const born = yield* tags.epoch
          yield* tags.ensure(["a", "b"], ttl)
          yield* other.tags.invalidate(["a", "b"])
          assert.deepStrictEqual(seen.slice(0, forget.length), forget)
          assert.deepStrictEqual(seen.slice(forget.length, forget.length + 2), ["send t:a", "send t:b"])
          assert.deepStrictEqual(yield* tags.markers(["a", "b"]), [undefined, undefined])
          // It comes back above all it was.
          yield* tags.ensure(["a"], ttl)
          assert.isAbove((yield* tags.markers(["a"]))[0]!, born)
          seen.length = 0
          yield* other.backend.clear
          assert.deepStrictEqual(seen.slice(0, forget.length), forget)
          assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined])
        })
      )
    )
  }

  for (const [what, ahead] of [
    ["a little", 60_000_000],
    ["as far as it goes", undefined]
  ] as const) {
    it.effect(
      `does not take an epoch away that is ahead of its clock: ${what}`,
      scoped(
        Effect.gen(function*() {
          const { backend, clock, other, put, refusing, tags, text } = yield* besides()
          const epoch = ahead === undefined ? Number.MAX_SAFE_INTEGER - 1 : (yield* clock) + ahead
          yield* put(String(epoch))
          const born = yield* tags.epoch
          yield* tags.ensure(["a", "b"], ttl)
          yield* plant(backend, "k", write(backend, "old", ttl, { born, tags: ["a"] }))
          for (let i = 0; i < 2; i++) {
            const error = yield* Effect.flip(other.tags.invalidate(["a"]))
            assert.strictEqual(error.reason._tag, "NoRoom")
            assert.include(error.message, ":epoch is ahead of the server's clock")
          }
          assert.isFalse(refusing.seen.some((line) => !look.includes(line)))
          assert.strictEqual(yield* text("epoch"), String(epoch))
          assert.strictEqual(Number(yield* text("t:b")), epoch)
          if (ahead === undefined) return
          // With room it is moved on.
          refusing.full = false
          yield* other.tags.invalidate(["a"])
          assert.isAbove((yield* tags.markers(["a"]))[0]!, born)
        })
      )
    )
  }

  it.effect(
    "clears what makes room for an epoch that is ahead of its clock, and fails where that is not enough",
    scoped(
      Effect.gen(function*() {
        const { backend, clock, other, put, refusing, tags } = yield* besides()
        const epoch = (yield* clock) + 60_000_000
        yield* put(String(epoch))
        yield* tags.ensure(["a"], ttl)
        yield* plant(backend, "k", write(backend, "old", ttl, { born: epoch, tags: ["a"] }))
        yield* backend.acquire("loading", "one", ttl)
        assert.strictEqual(yield* reasonOf(other.backend.clear), "NoRoom")
        assert.isUndefined(yield* backend.read("k"))
        assert.strictEqual(yield* tags.epoch, epoch)
        yield* plant(backend, "k", write(backend, "old", ttl, { born: epoch, tags: ["a"] }))
        // What it unlinks makes room.
        refusing.before = {
          [`e:{k}`]: async () => {
            refusing.full = false
          }
        }
        yield* other.backend.clear
        assert.isUndefined(yield* backend.read("k"))
        assert.strictEqual(yield* tags.epoch, epoch + 1)
        assert.isFalse(yield* backend.fill("loading", "one", write(backend, "old", ttl, { born: epoch }), "keep"))
      })
    )
  )

  for (const ended of [`${Number.MAX_SAFE_INTEGER}`, "99999999999999999999"]) {
    it.effect(
      `refuses by name to go on from an epoch at its end, and a clear begins anew (${ended})`,
      scoped(
        Effect.gen(function*() {
          const { backend, clock, other, put, refusing, tags, text } = yield* besides()
          yield* backend.acquire("loading", "one", ttl)
          yield* put(ended)
          const error = yield* Effect.flip(other.tags.invalidate(["a"]))
          assert.strictEqual(error.reason._tag, "InvalidKey")
          assert.include(error.message, "the epoch is at its end")
          assert.strictEqual(yield* text("epoch"), ended)
          assert.deepStrictEqual(refusing.seen, look.slice(0, 2))
          yield* other.backend.clear
          assert.isNull(yield* text("epoch"))
          assert.isFalse(yield* backend.fill("loading", "one", write(backend, "old", ttl, { born: 1 }), "keep"))
          assert.isAtMost(yield* tags.epoch, yield* clock)
        })
      )
    )
  }

  it.effect(
    "takes what is no count away, as the script does",
    scoped(
      Effect.gen(function*() {
        const { client, namespace, other, put, tags, text } = yield* besides()
        yield* tags.ensure(["a"], ttl)
        yield* put("nonsense")
        yield* other.tags.invalidate(["a"])
        assert.isNull(yield* text("epoch"))
        yield* Effect.promise(() => client.rpush(`${namespace}:epoch`, "1"))
        yield* other.tags.invalidate(["a"])
        assert.isNull(yield* text("epoch"))
        assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined])
      })
    )
  )

  for (const [what, meddle] of [
    ["moves it on", (tags: TagIndex["Service"]) => tags.invalidate(["b"])],
    ["clears", (_: TagIndex["Service"], clear: Effect.Effect<void, CacheError>) => clear],
    ["reads it", (tags: TagIndex["Service"]) => Effect.asVoid(tags.epoch)]
  ] as const) {
    for (const step of ["time", "epoch"]) {
      for (const there of [true, false]) {
        // Where there is none, the clock is not asked.
        if (!there && step === "time") continue
        it.effect(
          `another client ${what} before ${step === "time" ? "TIME" : "UNLINK"}${there ? "" : ", where there was none"}`,
          scoped(
            Effect.gen(function*() {
              const { backend, client, namespace, other, refusing, tags } = yield* besides()
              yield* tags.ensure(["a", "b"], ttl)
              if (!there) yield* Effect.promise(() => client.unlink(`${namespace}:epoch`))
              let born = 0
              const during = Effect.andThen(meddle(tags, backend.clear), tags.epoch)
              refusing.before = {
                [step]: async () => {
                  born = await Effect.runPromise(during)
                }
              }
              yield* other.tags.invalidate(["a"])
              assert.deepStrictEqual(yield* tags.markers(["a"]), [undefined])
              yield* tags.ensure(["a"], ttl)
              assert.isAbove((yield* tags.markers(["a"]))[0]!, born)
            })
          )
        )
      }
    }
  }
})
