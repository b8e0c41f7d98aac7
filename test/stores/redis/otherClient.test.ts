/**
 * Clients that do not do what ioredis does today.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Command, Redis } from "ioredis"
import { vi } from "vitest"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { valueOf, write } from "../../support/primitives.ts"
import { sharedRedis } from "../../support/client.ts"
import { fresh, openClient, reasonOf } from "./support.ts"

const sharedServer = sharedRedis()
const original = Redis.prototype.sendCommand

/** What it does with a command that is to be written to a stream of ours. */
const clients = {
  "writes to its socket": (client: Redis, command: Command) => original.call(client, command),
  "wants more of it": () => {
    throw new Error("not such a stream")
  },
  "writes to it in pieces": (client: Redis, command: Command, stream: { write: (piece: string | Buffer) => void }) => {
    const pieces = {
      ...stream,
      isPipeline: true,
      destination: { redis: client },
      write: (bytes: string | Buffer) => {
        stream.write(bytes.slice(0, 3))
        stream.write(bytes.slice(3))
      }
    }
    return original.call(client, command, pieces as never)
  }
}

describe("a client that is given a stream for its commands and", () => {
  for (const [what, send] of Object.entries(clients)) {
    it.effect(`${what} writes them one by one`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { host, port } = yield* sharedServer
          const client = yield* openClient({ host, port })
          let plain = 0
          client.sendCommand = (command, stream) => {
            if (stream !== undefined) return send(client, command as Command, stream as never)
            plain++
            return original.call(client, command)
          }
          const { backend } = yield* makeRedisPrimitives({ client, namespace: fresh(), timeout: "20 seconds" })
          const sizes = [0, 1, 16_384, 100_000, 3]
          const texts = sizes.map((size, i) => String.fromCharCode(97 + i, 228).repeat(size))
          const all = Effect.forEach(
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
          // What was the first to go out was sent, or its caller was told that it was not.
          if (what === "wants more of it") assert.strictEqual(yield* reasonOf(all), "Unavailable")
          else yield* all
          const before = plain
          yield* all
          assert.isAbove(plain, before + texts.length)
          const { stored } = yield* backend.fast!.lookupMany!(
            texts.map((_, i) => `k${i}`),
            []
          )
          for (const [i, bytes] of stored.entries()) assert.isTrue(valueOf(backend, bytes) === texts[i], `${sizes[i]}`)
        })
      )
    )
  }
})

it.effect("today's client writes a flush at once", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { host, port } = yield* sharedServer
      const client = yield* openClient({ host, port })
      const { backend } = yield* makeRedisPrimitives({ client, namespace: fresh(), timeout: "20 seconds" })
      const all = Effect.forEach(["a", "b", "c"], (key) => backend.acquire(key, "token", 10_000), {
        concurrency: "unbounded"
      })
      yield* all
      const writes = vi.spyOn(client.stream, "write")
      yield* all
      assert.strictEqual(writes.mock.calls.length, 1)
    })
  )
)

describe("an ioredis that takes no command back", () => {
  it.effect("is used with clients that send none late", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { host, port } = yield* sharedServer
        const late = yield* openClient({ host, port })
        const strict = yield* openClient({
          host,
          port,
          enableOfflineQueue: false,
          autoResendUnfulfilledCommands: false
        })
        vi.resetModules()
        const again = yield* Effect.promise(() => import("../../../src/stores/redis/primitives.ts"))
        yield* Effect.acquireUseRelease(
          Effect.sync(() =>
            vi.spyOn(Command.prototype, "toWritable").mockImplementation(() => "*2\r\n$3\r\nget\r\n$1\r\nk\r\n")
          ),
          () =>
            Effect.gen(function*() {
              const error = yield* Effect.flip(again.makeRedisPrimitives({ client: late, namespace: fresh() }))
              assert.strictEqual(error.reason._tag, "InvalidOption")
              assert.include(error.message, "autoResendUnfulfilledCommands")
              yield* again.makeRedisPrimitives({ client: strict, namespace: fresh() })
              yield* again.makeRedisPrimitives({ host, port, namespace: fresh() })
            }),
          (spy) => Effect.sync(() => spy.mockRestore())
        )
      })
    )
  )
})
