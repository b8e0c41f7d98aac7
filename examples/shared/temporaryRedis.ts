/**
 * A Redis for as long as a program runs: the `redis-server` or `valkey-server` of the PATH, on a free port, with nothing kept.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { Data, Effect, type Scope } from "effect"

export class NoRedis extends Data.TaggedError("NoRedis")<{ readonly message: string }> {}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** The process once it accepts connections; `undefined` where there is no such command. */
const start = (command: string, port: number): Promise<ChildProcess | undefined> =>
  new Promise((resolve, reject) => {
    const args = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", tmpdir(), "--save", "", "--appendonly", "no"]
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] })
    process.once("exit", () => child.kill("SIGKILL"))
    let text = ""
    child.stdout.on("data", (data) => {
      text = `${text}${data}`.slice(-2_000)
      if (text.includes("Ready to accept connections")) resolve(child)
    })
    child.once("error", () => resolve(undefined))
    child.once("exit", (code) => reject(new Error(`${command} ended with code ${code}: ${text}`)))
  })

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

/** Starts it, and ends it with the scope. Gives its URL. */
export const temporaryRedis: Effect.Effect<string, NoRedis, Scope.Scope> = Effect.gen(function*() {
  const port = yield* Effect.promise(freePort)
  yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const child = (await start("redis-server", port)) ?? (await start("valkey-server", port))
        if (child === undefined) throw new Error("there is no redis-server and no valkey-server on the PATH")
        return child
      },
      catch: (cause) => new NoRedis({ message: cause instanceof Error ? cause.message : String(cause) })
    }),
    (child) => Effect.promise(() => stop(child))
  )
  return `redis://127.0.0.1:${port}`
})
