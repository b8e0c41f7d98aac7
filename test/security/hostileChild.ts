/**
 * A process that talks to a server which breaks the protocol where ioredis does not expect it.
 */
import { Effect } from "effect"
import { Redis } from "ioredis"
import { handshake, HostileRedis, isHandshake } from "./hostileRedis.ts"

const kind = process.argv[2]
const broken = { push: ">1\r\n_\r\n", null: "+OK\r\n_\r\n", subscribe: ":1\r\n" }[kind ?? ""]
await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function*() {
      const server = yield* HostileRedis.scoped((command) => (isHandshake(command) ? handshake(command) : broken))
      const client = new Redis({ port: server.port, host: "127.0.0.1", protocol: 2 }).on("error", () => {})
      yield* Effect.promise(() =>
        Promise.race([
          kind === "subscribe"
            ? client.subscribe("a")
            : Effect.runPromise(
                Effect.andThen(
                  Effect.promise(() => client.get("a")),
                  Effect.never
                )
              ),
          new Promise((resolve) => setTimeout(resolve, 5_000))
        ])
      )
      client.disconnect()
    })
  )
)
