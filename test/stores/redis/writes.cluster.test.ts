/**
 * The lease of writes while its slot moves: lease and entry may be on two nodes.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { afterAll } from "vitest"
import { isWrite } from "../../../src/protocol/lease.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { calculateSlot } from "../../../src/stores/redis/nodes/slot.ts"
import { freshNamespace } from "../../support/client.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { RedisCluster, type RunningCluster } from "../../support/redisCluster.ts"

class Shared extends Context.Service<Shared, RunningCluster>()("effect-cache/test/WritesCluster") {}
const runtime = ManagedRuntime.make(Layer.orDie(Layer.effect(Shared, RedisCluster.scoped())))
afterAll(() => runtime.dispose())

for (const begun of ["before", "during"] as const) {
  it.live(
    `writes join, and what comes between makes their lease void, while a slot moves (begun ${begun})`,
    () =>
      Effect.gen(function*() {
        const cluster = yield* Effect.promise(() => runtime.runPromise(Shared))
        const namespace = freshNamespace()
        const { backend } = yield* makeRedisPrimitives({ url: cluster.url, namespace, timeout: "5 seconds" })
        const entry = `${namespace}:e:{k}`
        const from = yield* cluster.primaryOf(entry)
        const to = (yield* cluster.primaries).find((node) => node !== from)!
        yield* plant(backend, "k", write(backend, "old"))
        if (begun === "before") yield* backend.takeOver("k", "w:one", 60_000, "write")
        const finish = yield* cluster.openMigration(calculateSlot(entry), to)
        if (begun === "during") {
          const { unlinked } = yield* backend.takeOver("k", "w:one", 60_000, "write", "entry")
          assert.strictEqual(valueOf(backend, unlinked), "old")
        }
        assert.isUndefined(yield* backend.read("k"))
        const said = backend.acquire("k", "asks", 60_000)
        const texts = ["w:one"]
        const changed = Effect.map(said, (text) => {
          assert.isTrue(isWrite(text), text)
          assert.notInclude(texts, text)
          texts.push(text)
        })
        assert.strictEqual(yield* said, "w:one")
        assert.strictEqual((yield* backend.takeOver("k", "r", 60_000, "refresh")).holder, "w:one")
        assert.strictEqual((yield* backend.takeOver("k", "w:two", 60_000, "write")).holder, "w:two")
        yield* changed
        yield* backend.remove(["k"])
        yield* changed
        yield* backend.removeMatching("k*")
        yield* changed
        const { holder: told } = yield* backend.takeOver("k", "s", 60_000, "set")
        assert.strictEqual(told, yield* said)
        yield* changed
        assert.isTrue(yield* backend.renew("k", "w:one", 60_000))
        assert.isFalse(yield* backend.fill("k", "w:one", write(backend, 1), "unlink"))
        yield* changed
        yield* finish
        assert.isTrue(isWrite(yield* said))
        assert.isTrue(yield* backend.renew("k", "w:two", 60_000))
        assert.isFalse(yield* backend.release("k", "w:two", "unlink"))
        assert.strictEqual(yield* said, "asks")
        assert.isUndefined(yield* backend.read("k"))
      }).pipe(Effect.scoped),
    60_000
  )
}

it.live(
  "what is loaded anew is stored while a slot moves, also by who asks for intents, of which there are none",
  () =>
    Effect.gen(function*() {
      const cluster = yield* Effect.promise(() => runtime.runPromise(Shared))
      const namespace = freshNamespace()
      const { backend } = yield* makeRedisPrimitives({ url: cluster.url, namespace, timeout: "5 seconds" })
      const entry = `${namespace}:e:{k}`
      const from = yield* cluster.primaryOf(entry)
      const to = (yield* cluster.primaries).find((node) => node !== from)!
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "a", 60_000)
      const finish = yield* cluster.openMigration(calculateSlot(entry), to)
      assert.isTrue(yield* backend.fill("k", "a", write(backend, "new"), "keep", () => undefined))
      assert.strictEqual(valueOf(backend, yield* backend.read("k")), "new")
      yield* finish
    }).pipe(Effect.scoped),
  60_000
)
