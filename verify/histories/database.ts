/**
 * The source of truth: rows with a version each, in the parent's memory, read and written by the processes over a
 * socket.
 *
 * It is linearizable, because one turn of one event loop does each operation. Versions are the numbers of commits, over
 * all keys.
 */
import * as net from "node:net"
import { Effect, type Scope } from "effect"
import { endMicros } from "./world.ts"

export interface Commit {
  readonly version: number
  /** When it was done, in microseconds of the shared clock; dated after it. */
  readonly at: number
}

export interface Database {
  readonly path: string
  /** The commits of each key, oldest first. */
  readonly commits: ReadonlyMap<string, ReadonlyArray<Commit>>
}

/** Calls `use` with each whole line that arrives. */
const onLines = (socket: net.Socket, use: (line: string) => void) => {
  let rest = ""
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString("latin1")).split("\n")
    rest = lines.pop()!
    for (const line of lines) use(line)
  })
}

const scoped = (path: string): Effect.Effect<Database, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly database: Database; readonly close: () => void }>((resume) => {
        const commits = new Map<string, Array<Commit>>()
        const sockets = new Set<net.Socket>()
        let version = 0
        const answer = (operation: string, key: string): number => {
          const known = commits.get(key) ?? []
          if (operation === "read") return known.at(-1)?.version ?? 0
          commits.set(key, known)
          known.push({ version: ++version, at: endMicros() })
          return version
        }
        const server = net.createServer((socket) => {
          sockets.add(socket)
          socket.on("close", () => sockets.delete(socket))
          // A killed process resets its connection.
          socket.on("error", () => {})
          onLines(socket, (line) => {
            const [id, operation, key] = line.split(" ")
            socket.write(`${id} ${answer(operation!, key!)}\n`)
          })
        })
        server.listen(path, () =>
          resume(
            Effect.succeed({
              database: { path, commits },
              close: () => {
                server.close()
                for (const socket of sockets) socket.destroy()
              }
            })
          )
        )
      }),
      ({ close }) => Effect.sync(close)
    ),
    ({ database }) => database
  )

export const Database = { scoped }

/** The database as a process sees it. */
export interface DatabaseClient {
  /** The version of a row, 0 when it was never written. */
  readonly read: (key: string) => Promise<number>
  /** Writes a row, and gives its new version. */
  readonly commit: (key: string) => Promise<number>
}

export const connectDatabase = (path: string): DatabaseClient => {
  const socket = net.connect(path)
  const waiting = new Map<string, (version: number) => void>()
  let last = 0
  onLines(socket, (line) => {
    const [id, version] = line.split(" ")
    waiting.get(id!)?.(Number(version))
    waiting.delete(id!)
  })
  // Without its source of truth a process has nothing to say.
  socket.on("error", () => process.exit(1))
  const ask = (operation: string) => (key: string) =>
    new Promise<number>((resolve) => {
      const id = String(++last)
      waiting.set(id, resolve)
      socket.write(`${id} ${operation} ${key}\n`)
    })
  return { read: ask("read"), commit: ask("commit") }
}
