/**
 * A server that is full and, unlike Redis and Valkey, runs no script then: what takes nothing but commands goes on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "ioredis"
import type { CacheError } from "../../../src/CacheError.ts"
import type { TagIndex } from "../../../src/services/TagIndex.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { sharedRedis } from "../../support/client.ts"
import { plant, write } from "../../support/primitives.ts"
import { openClient, openStore, reasonOf, scoped } from "./support.ts"

const sharedServer = sharedRedis()

const ttl = 60_000

const setup = Effect.flatMap(sharedServer, openStore)

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
    "removes keys, their lease before the entry",
    scoped(
      Effect.gen(function*() {
        const { backend, other, refusing, tags, text } = yield* besides()
        const born = yield* tags.epoch
        for (const key of ["k", "o"]) yield* plant(backend, key, write(backend, "old", ttl, { born }))
        yield* backend.acquire("k", "one", ttl)
        assert.strictEqual(yield* other.backend.remove(["k", "none"]), 1)
        assert.deepStrictEqual(
          refusing.seen.slice(0, 4),
          ["l:{k}", "e:{k}"].flatMap((k) => [`send ${k}`, `reply ${k}`])
        )
        assert.isNull(yield* text("l:{k}"))
        assert.isUndefined(yield* backend.read("k"))
        assert.isDefined(yield* backend.read("o"))
      })
    )
  )

  for (const [onLost, left, reason] of [
    ["keep", true, "NoRoom"],
    ["empty", false, "NoRoom"],
    ["unlink", false, undefined]
  ] as const) {
    it.effect(
      `${left ? "keeps" : "removes"} the entry of a fill that is refused ("${onLost}")`,
      scoped(
        Effect.gen(function*() {
          const { backend, other, tags } = yield* besides()
          const born = yield* tags.epoch
          yield* plant(backend, "k", write(backend, "old", ttl, { born }))
          yield* backend.acquire("k", "one", ttl)
          const exit = yield* Effect.result(
            other.backend.fill("k", "one", write(backend, "new", ttl, { born }), onLost)
          )
          assert.strictEqual(exit._tag === "Failure" ? exit.failure.reason._tag : undefined, reason)
          assert.strictEqual((yield* backend.read("k")) !== undefined, left)
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
