/**
 * Errors of a real server: 0 failed callers, and no value older than its invalidation.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "ioredis"
import { afterAll } from "vitest"
import { adminOf } from "../support/client.ts"
import { type Fault, quietly, report, runFault, until, type World } from "../support/faultyRun.ts"
import { RedisServer, type RunningRedis } from "../support/redisServer.ts"

const ask = (admin: Redis, command: string) =>
  Effect.promise(() => {
    const [name, ...args] = command.split(" ")
    return admin.call(name!, ...args)
  })

/** Commands of an operator, in order. */
const commands =
  (...list: ReadonlyArray<string>) =>
  ({ admin }: World) =>
    Effect.forEach(list, (command) => ask(admin, command), { discard: true })

/** Until a section of INFO, or what else describes the server, holds the text. */
const untilSays = (admin: Redis, command: string, text: string) =>
  until(
    () => `${command} says ${text}`,
    Effect.map(ask(admin, command), (found) => String(found).includes(text))
  )

const folderOf = (admin: Redis) => Effect.map(ask(admin, "CONFIG GET dir"), (found) => (found as Array<string>)[1]!)

const acl = ["user default on nopass ~* &* +@all", "user app on >secret ~* &* +@all"]
const credentials = "app:secret"

const cluster = { args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "500"] }
const takeAllSlots = ({ admin }: World) =>
  Effect.andThen(ask(admin, "CLUSTER ADDSLOTSRANGE 0 16383"), untilSays(admin, "CLUSTER INFO", "cluster_state:ok"))

/** Another node, that the server knows of; gives its name. */
const meet = (admin: Redis, { host, port }: RunningRedis) =>
  Effect.gen(function*() {
    yield* ask(admin, `CLUSTER MEET ${host} ${port}`)
    let id: string | undefined
    yield* until(
      () => "the two nodes know each other",
      Effect.map(ask(admin, "CLUSTER NODES"), (nodes) => {
        id = new RegExp(`^(\\S+) \\S+:${port}@\\S+ master .* connected`, "m").exec(String(nodes))?.[1]
        return id !== undefined
      })
    )
    return id!
  })

const faults: ReadonlyArray<Fault> = [
  {
    // What only removes is carried out all the same.
    name: "OOM",
    begin: commands("CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"),
    end: commands("CONFIG SET maxmemory 0"),
    invalidations: "either",
    says: /OOM/
  },
  {
    name: "READONLY (made a replica)",
    begin: commands("REPLICAOF 127.0.0.1 1"),
    end: commands("REPLICAOF NO ONE"),
    invalidations: "fail",
    says: /READONLY|closed/
  },
  {
    name: "MASTERDOWN (a replica that will not serve)",
    begin: commands("CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"),
    end: commands("REPLICAOF NO ONE"),
    invalidations: "fail",
    says: /MASTERDOWN|READONLY|closed/
  },
  {
    name: "LOADING (after a restart)",
    // Slow to load, and answering in between: by the key, and by the kilobyte.
    server: { args: ["--key-load-delay", "8000", "--loading-process-events-interval-bytes", "1024"] },
    begin: ({ admin, server }) =>
      Effect.gen(function*() {
        for (let i = 0; i < 200; i++) yield* ask(admin, `SET ballast:${i} ${i}${"x".repeat(20)}${Math.random()}`)
        yield* ask(admin, "CONFIG SET rdbcompression no")
        yield* ask(admin, "SAVE")
        yield* server.stop
        // It is up when it has loaded all.
        yield* Effect.forkScoped(server.start)
        yield* until(
          () => "it loads",
          Effect.map(Effect.result(server.raw("GET", "x")), (found) =>
            found._tag === "Success" ? found.success.startsWith("-LOADING") : false
          )
        )
      }),
    end: ({ server }) =>
      until(
        () => "it has loaded",
        Effect.map(
          Effect.result(server.raw("GET", "x")),
          (found) => found._tag === "Success" && found.success[0] === "$"
        )
      ),
    invalidations: "either",
    says: /LOADING|closed|ECONN/
  },
  {
    name: "NOAUTH (a password set at run time)",
    begin: commands("CONFIG SET requirepass hush", "CLIENT KILL TYPE normal SKIPME yes"),
    end: commands("CONFIG SET requirepass "),
    invalidations: "fail",
    says: /NOAUTH|closed/
  },
  {
    name: "WRONGPASS (the user disabled)",
    server: { acl },
    credentials,
    begin: commands("ACL SETUSER app off", "CLIENT KILL USER app"),
    end: commands("ACL SETUSER app on"),
    invalidations: "fail",
    says: /WRONGPASS|closed/
  },
  {
    name: "NOPERM (the user may do nothing)",
    server: { acl },
    credentials,
    begin: commands("ACL SETUSER app -@all"),
    end: commands("ACL SETUSER app +@all"),
    invalidations: "fail",
    says: /NOPERM/
  },
  {
    name: "CLUSTERDOWN (nobody has the slots)",
    server: cluster,
    prepare: takeAllSlots,
    begin: commands("CLUSTER DELSLOTSRANGE 0 16383"),
    end: takeAllSlots,
    invalidations: "fail",
    says: /CLUSTERDOWN/
  },
  {
    name: "MOVED (another node has the slots)",
    server: cluster,
    prepare: takeAllSlots,
    begin: ({ admin }) =>
      Effect.gen(function*() {
        const other = yield* RedisServer.scoped(cluster)
        const id = yield* meet(admin, other)
        yield* ask(admin, "CLUSTER DELSLOTSRANGE 0 16383")
        yield* Effect.promise(() => {
          const pipeline = admin.pipeline()
          for (let slot = 0; slot < 16_384; slot++) pipeline.call("CLUSTER", "SETSLOT", String(slot), "NODE", id)
          return pipeline.exec()
        })
        yield* untilSays(admin, "CLUSTER INFO", "cluster_state:ok")
      }),
    end: (world) => Effect.andThen(ask(world.admin, "CLUSTER DELSLOTSRANGE 0 16383"), takeAllSlots(world)),
    invalidations: "fail",
    says: /MOVED/
  },
  {
    name: "BUSY (a script that never ends)",
    begin: ({ admin, server }) =>
      Effect.gen(function*() {
        yield* ask(admin, "CONFIG SET busy-reply-threshold 1")
        const other = yield* adminOf(server)
        yield* Effect.forkScoped(Effect.ignore(Effect.tryPromise(() => other.eval("while true do end", 0))))
        yield* until(
          () => "it is busy",
          Effect.map(
            Effect.result(server.raw("GET", "x")),
            (found) => found._tag === "Success" && /^-BUSY/.test(found.success)
          )
        )
      }),
    end: commands("SCRIPT KILL"),
    invalidations: "fail",
    says: /BUSY|TimedOut/
  },
  {
    name: "MISCONF (snapshots fail)",
    begin: ({ admin }) =>
      Effect.gen(function*() {
        // Where the snapshot is to go, there is a folder.
        fs.mkdirSync(path.join(yield* folderOf(admin), "dump.rdb"))
        yield* Effect.promise(() => admin.config("SET", "save", "3600 1"))
        yield* ask(admin, "BGSAVE")
        yield* untilSays(admin, "INFO persistence", "rdb_last_bgsave_status:err")
      }),
    end: ({ admin }) =>
      Effect.gen(function*() {
        fs.rmdirSync(path.join(yield* folderOf(admin), "dump.rdb"))
        yield* ask(admin, "BGSAVE")
        yield* untilSays(admin, "INFO persistence", "rdb_last_bgsave_status:ok")
      }),
    invalidations: "fail",
    says: /MISCONF/
  },
  {
    name: "AOF on a full disk",
    begin: ({ admin }) =>
      Effect.gen(function*() {
        // The log goes to a device that is always full: no privileges are needed, and the error is the system's own.
        const folder = path.join(yield* folderOf(admin), "appendonlydir")
        fs.mkdirSync(folder)
        fs.symlinkSync("/dev/full", path.join(folder, "temp-appendonly.aof.incr"))
        yield* ask(admin, "CONFIG SET appendonly yes")
        yield* untilSays(admin, "INFO persistence", "aof_rewrite_in_progress:0")
        yield* until(
          () => "a write is refused",
          Effect.map(
            Effect.result(Effect.tryPromise(() => admin.set("ballast", "1"))),
            (set) => set._tag === "Failure" && String(set.failure.cause).includes("No space left on device")
          )
        )
      }),
    end: commands("CONFIG SET appendonly no"),
    invalidations: "fail",
    says: /MISCONF.*No space left/
  }
]

describe("errors of the server", { concurrent: true }, () => {
  const lines: Array<ReadonlyArray<unknown>> = []
  afterAll(() => report("Errors of the server", lines))
  for (const fault of faults) {
    it.live(
      fault.name,
      () => quietly(Effect.scoped(Effect.map(runFault(fault), (found) => lines.push(...found)))),
      60_000
    )
  }
})
