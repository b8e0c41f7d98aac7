/**
 * A server that speaks RESP and means no good: what it answers to each command is up to the test.
 */
import * as net from "node:net"
import { Effect, type Scope } from "effect"

/** One command as it arrived: its name in lower case, then its arguments. */
export type Received = readonly [name: string, ...args: ReadonlyArray<string>]

export interface HostileRedis {
  readonly url: string
  readonly port: number
  /** How many commands have arrived. */
  readonly received: () => number
}

/** The bytes to send back; `undefined` says nothing at all, `"close"` hangs up. */
export type Answer = (command: Received) => string | Uint8Array | undefined | "close"

/** One that may answer later, too. */
type Speaker = (command: Received, say: (bytes: string) => void) => ReturnType<Answer>

export const bulk = (bytes: string | Uint8Array): Uint8Array => {
  const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes
  return Buffer.concat([Buffer.from(`$${body.length}\r\n`), body, Buffer.from("\r\n")])
}

/** What a client needs to believe that it is connected. */
export const handshake: Answer = ([name]) =>
  name === "info" ? bulk("redis_version:7.0.0\r\nloading:0\r\nused_memory:1\r\nevicted_keys:0\r\n") : "+OK\r\n"

const handshakeNames = new Set(["auth", "client", "hello", "info", "select"])

export const isHandshake = ([name]: Received): boolean => handshakeNames.has(name)

/** Takes whole commands off the front of what has arrived. */
const takeCommands = (buffer: Buffer): { readonly commands: ReadonlyArray<Received>; readonly rest: Buffer } => {
  const commands: Array<Received> = []
  let from = 0
  for (;;) {
    let at = from
    const line = (): string | undefined => {
      const end = buffer.indexOf("\r\n", at)
      if (end === -1) return undefined
      const text = buffer.toString("latin1", at + 1, end)
      at = end + 2
      return text
    }
    const count = line()
    if (count === undefined) break
    const args: Array<string> = []
    for (let i = 0; i < Number(count); i++) {
      const length = line()
      if (length === undefined || at + Number(length) + 2 > buffer.length) break
      args.push(buffer.toString("utf8", at, at + Number(length)))
      at += Number(length) + 2
    }
    if (args.length < Number(count)) break
    commands.push([args[0]!.toLowerCase(), ...args.slice(1)])
    from = at
  }
  return { commands, rest: buffer.subarray(from) }
}

const make = (answer: Speaker) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<HostileRedis & { readonly close: () => Promise<void> }>((resolve, reject) => {
          const sockets = new Set<net.Socket>()
          let received = 0
          const server = net.createServer((socket) => {
            sockets.add(socket)
            socket.setNoDelay(true)
            socket.on("close", () => sockets.delete(socket))
            socket.on("error", () => socket.destroy())
            const say = (bytes: string) => void (socket.destroyed || socket.write(bytes))
            let buffer: Buffer = Buffer.alloc(0)
            socket.on("data", (chunk) => {
              const { commands, rest } = takeCommands(Buffer.concat([buffer, chunk]))
              buffer = rest
              for (const command of commands) {
                received++
                const reply = answer(command, say)
                if (reply === "close") return void socket.destroy()
                if (reply !== undefined && !socket.destroyed) socket.write(reply)
              }
            })
          })
          server.once("error", reject)
          server.listen(0, "127.0.0.1", () => {
            const { port } = server.address() as net.AddressInfo
            resolve({
              port,
              url: `redis://127.0.0.1:${port}`,
              received: () => received,
              close: () =>
                new Promise((done) => {
                  server.close(() => done())
                  for (const socket of sockets) socket.destroy()
                })
            })
          })
        })
    ),
    (server) => Effect.promise(server.close)
  )

export const HostileRedis = {
  /** Answers as told until the scope closes. */
  scoped: (answer: Speaker): Effect.Effect<HostileRedis, never, Scope.Scope> => make(answer)
}
