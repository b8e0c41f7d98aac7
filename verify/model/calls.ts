/** The calls that actors make, on real patterns. */
import { Context, Effect, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  stampedeProtect,
  tagCacheKey,
  writeAround,
  writeThrough
} from "../../src/index.ts"
import { Here, patienceMillis, type Process } from "./process.ts"
import type { Row } from "./server.ts"
import { savepoint, seen, transaction, update } from "./transactions.ts"
import type { World } from "./world.ts"

/** One call. */
export interface Op {
  readonly name: string
  /** It looks for a value. Otherwise it is a change, and gives the rows that are acknowledged with it. */
  readonly look: boolean
  /** The explorer says when it starts. Otherwise it starts at once, because its first step is one of its own. */
  readonly free: boolean
  /** Not before. */
  readonly when?: ((world: World) => boolean) | undefined
  /** Finding nothing is wrong. */
  readonly finds?: boolean | undefined
  /** A timeout may reach its caller. */
  readonly mayFail?: boolean | undefined
  /** Its process sweeps meanwhile. */
  readonly sweeps?: boolean | undefined
  /** It looks within a transaction, which sees what it has changed. */
  readonly within?: boolean | undefined
  /** It succeeds also when the store could not be told. */
  readonly bypasses?: boolean | undefined
  readonly run: (process: Process) => Effect.Effect<unknown, unknown, CacheClient | Here>
}

// The schema gives the fingerprint only: values stay objects here, as in memory.
const settings = { key: "row:{id}", schema: Schema.Any, ttl: "1 hour" } as const

type Id = { readonly id: string }

/** In a transaction it sees what that has changed. */
const load = ({ id }: Id) =>
  Effect.flatMap(seen(`row:${id}`), (row) =>
    row === undefined ? Here.use((process) => process.load(`row:${id}`)) : Effect.succeed(row)
  )
const commit = ({ id }: Id) =>
  Effect.map(
    Here.use((process) => process.commit([`row:${id}`])),
    ([row]) => row!
  )
const commitAndFail = (id: Id) => Effect.flatMap(commit(id), (row) => Effect.fail(row))

const patient = { lockTtl: "30 millis", waitTimeout: `${patienceMillis} millis` } as const

const cached = {
  plain: cacheAside(settings)(load),
  /** Its tags are known before the load. */
  tagged: cacheAside({ ...settings, tags: ["T"] })(load),
  /** Its tags follow from the value. */
  derived: cacheAside({ ...settings, tags: () => ["T"] })(load),
  one: stampedeProtect({ ...settings, ...patient })(load),
  oneTagged: stampedeProtect({ ...settings, ...patient, tags: ["T"] })(load)
}

type Name = keyof typeof cached

const look = (name: string, run: Op["run"]): Op => ({ name, look: true, free: true, run })

const first = { id: "1" }
const key = "row:1"

export const read = (of: Name = "plain", id = first): Op => look(`read ${of}`, () => cached[of](id))
export const refresh = (of: Name = "plain"): Op => look(`refresh ${of}`, () => cached[of].refresh(first))
export const peek = (of: Name = "plain"): Op => ({ ...look(`peek ${of}`, () => cached[of].peek(first)), mayFail: true })
/** Must find something: old or new. */
export const found: Op = { ...peek(), name: "peek at what is there", finds: true }
export const afterCommit: Op = { ...read(), when: ({ server }) => server.rows.size > 0 }
export const taggedAfterCommit: Op = { ...read("tagged"), when: ({ server }) => server.rows.size > 0 }
export const afterTakeOver: Op = { ...read(), when: ({ server }) => server.takeOvers > 0 }
export const afterBump: Op = { ...read("tagged"), when: ({ server }) => server.clock > 0 }
export const get: Op = {
  ...look("CacheClient.get", () => CacheClient.use((client) => client.get(key, Schema.Any))),
  mayFail: true
}

export const getMany: Op = {
  ...look("CacheClient.getMany", () => CacheClient.use((client) => client.getMany([key, "row:2", key], Schema.Any))),
  mayFail: true
}

/** A change of rows, and then an invalidation of them. */
const change = (
  name: string,
  invalidate: Effect.Effect<unknown, unknown, CacheClient>,
  keys: ReadonlyArray<string> = [key]
): Op => ({
  name,
  look: false,
  free: false,
  run: (process) => Effect.flatMap(process.commit(keys), (rows) => Effect.as(invalidate, rows))
})

export const byKey = change("invalidateKey", invalidateKey(key))
export const byKeys = change("invalidateKeys", invalidateKeys([key, "row:2"]), [key, "row:2"])
export const byTag = change("invalidateTags", invalidateTags(["T"]))
export const byTags = change("invalidateTags of two", invalidateTags(["T", "U"]))
export const byPattern = change("invalidatePattern", invalidatePattern("row:*"))
export const allByPattern = change("invalidatePattern", invalidatePattern("row:*"), [key, "row:2"])
export const clear = change(
  "clear",
  CacheClient.use((client) => client.clear)
)

/** Of a tag that no entry bears: it makes nothing old. */
export const byOtherTag: Op = {
  name: "invalidateTags of another tag",
  look: false,
  free: false,
  run: () => Effect.as(invalidateTags(["U"]), [])
}

/** So much time passes that every lease of before is older than a lease lasts. */
export const leaseLater: Op = {
  name: "a lease later",
  look: false,
  free: false,
  run: () => Effect.as(Effect.sleep("6 seconds"), [])
}

/** The keys that were asked for on the way here: who asks in circles ends them itself, as it must without a cache. */
const Way = Context.Reference<ReadonlyArray<string>>("verify/model/Way", { defaultValue: () => [] })

type Cached = (id: Id) => Effect.Effect<unknown, unknown, CacheClient | Here>

/** Loads a row, and asks for the other one. */
const loadNeeding =
  (other: () => Cached) =>
  (id: Id): Effect.Effect<Row, unknown, CacheClient | Here> =>
    Effect.gen(function*() {
      const way = yield* Way
      const row = yield* load(id)
      const next = id.id === "1" ? "2" : "1"
      if (!way.includes(next)) yield* Effect.provideService(other()({ id: next }), Way, [...way, id.id])
      return row
    })

const patiently = { ...settings, ...patient }
const needing: Record<"aside" | "protect", Cached> = {
  aside: cacheAside(settings)(loadNeeding(() => needing.aside)),
  protect: stampedeProtect(patiently)(loadNeeding(() => needing.protect))
}
const mixed: Record<"1" | "2", Cached> = {
  1: stampedeProtect(patiently)(loadNeeding(() => mixed[2])),
  2: cacheAside(settings)(loadNeeding(() => mixed[1]))
}

/** Reads a row whose load needs the other row, whose load needs this one. */
export const needs = (how: keyof typeof needing | "mixed", id: "1" | "2"): Op =>
  look(`read row:${id}, which needs the other`, () => (how === "mixed" ? mixed[id] : needing[how])({ id }))

const writingNeeding = writeThrough(settings)(({ id }: Id) =>
  Effect.andThen(cached.one({ id: id === "1" ? "2" : "1" }), commit({ id }))
)
/** A write that reads the other row through the cache before it commits. */
export const writeNeeding = (id: "1" | "2"): Op => ({
  name: `writeThrough of row:${id}, which needs the other`,
  look: false,
  free: false,
  run: () => Effect.map(writingNeeding({ id }), (row): ReadonlyArray<Row> => [row])
})

const writeOf = (name: string, tags: ReadonlyArray<string> | undefined, onCacheError: "bypass" | "fail"): Op => {
  const write = writeThrough({ ...settings, ...(tags === undefined ? {} : { tags }), onCacheError })(commit)
  return {
    name,
    look: false,
    free: false,
    bypasses: onCacheError === "bypass",
    run: () => Effect.map(write(first), (row): ReadonlyArray<Row> => [row])
  }
}
export const write = writeOf("writeThrough", undefined, "fail")
export const writeTagged = writeOf("writeThrough, tagged", ["T"], "fail")
const writingOwn = writeThrough({ ...settings, tags: ["T"], onCacheError: "fail" }, { invalidateOwnTags: true })(commit)
/** What it invalidates is what the entry of its value would bear. */
export const writeOwn: Op = {
  name: "writeThrough that invalidates its own tags",
  look: false,
  free: false,
  run: () => Effect.map(writingOwn(first), (row): ReadonlyArray<Row> => [row])
}
export const writeAnyway = writeOf("writeThrough that goes on without the cache", undefined, "bypass")
const dying = writeThrough(settings)((id: Id) =>
  Effect.andThen(
    commit(id),
    Here.use((process) => Effect.andThen(Effect.sync(process.die), Effect.never))
  )
)
/** Its process dies as it hears of its commit. */
export const writeAndDie: Op = {
  name: "writeThrough, and dies after its commit",
  look: false,
  free: false,
  run: () => dying(first)
}
const failing = writeThrough(settings)(commitAndFail)
/** The database changes the row and then fails. Nobody knows what it did, so nothing older may be left. */
export const failingWrite: Op = {
  name: "a writeThrough that fails after its commit",
  look: false,
  free: false,
  run: () =>
    Effect.matchEffect(failing(first), {
      onSuccess: () => Effect.die("it must fail"),
      onFailure: (row) => Effect.succeed([row])
    })
}

const strict = { ...settings, onCacheError: "fail" } as const
/** A row whose key is known only after its commit. */
const creating = writeThrough(strict, { keyOf: () => first })(() => commit(first))
export const create: Op = {
  name: "writeThrough of a created row",
  look: false,
  free: false,
  run: () => Effect.map(creating(), (row): ReadonlyArray<Row> => [row])
}
const around = writeAround(strict)(commit)
const aroundBoth = writeAround({ keys: [key, "row:2"], onCacheError: "fail" })(
  Here.use((process) => process.commit([key, "row:2"]))
)
/** Leaves nothing to store. */
export const writeAway: Op = {
  name: "writeAround",
  look: false,
  free: false,
  run: () => Effect.map(around(first), (row): ReadonlyArray<Row> => [row])
}
export const writeAwayBoth: Op = {
  name: "writeAround of both rows",
  look: false,
  free: false,
  run: () => aroundBoth
}
const die = Here.use((process) => Effect.andThen(Effect.sync(process.die), Effect.never))
const dyingAround = writeAround(settings)((id: Id) => Effect.andThen(commit(id), die))
const dyingAroundBoth = writeAround({ keys: [key, "row:2"] })(
  Effect.andThen(
    Here.use((process) => process.commit([key, "row:2"])),
    die
  )
)
/** Its process dies as it hears of its commit. */
export const writeAwayAndDie: Op = {
  name: "writeAround, and dies after its commit",
  look: false,
  free: false,
  run: () => dyingAround(first)
}
export const writeAwayBothAndDie: Op = {
  name: "writeAround of both rows, and dies after its commit",
  look: false,
  free: false,
  run: () => dyingAroundBoth
}

/** Commits and sets, at one moment. */
export const set: Op = {
  name: "CacheClient.set",
  look: false,
  free: true,
  run: (process) =>
    Effect.suspend(() => {
      const row = process.world.commit(key, process)
      const done = CacheClient.use((client) => client.set(key, row, { schema: Schema.Any, ttl: "1 hour" }))
      return Effect.as(done, [row])
    })
}

/** The same beside other sets: of those that overlap none is the later, but what was there before them all must be gone. */
export const setAmong: Op = {
  ...set,
  name: "CacheClient.set among others",
  run: (process) => Effect.as(set.run(process), [process.row(key, 1)])
}

/** What it sets is newer than what a write has committed. What a set's caller had before is his to answer for. */
export const setAfterCommit: Op = { ...set, when: ({ server }) => server.rows.size > 0 }

/** Begins once a lease was taken over: with nobody else about, by a set. */
export const keyAfterTakeOver: Op = {
  ...byKey,
  name: "invalidateKey after a take-over",
  free: true,
  when: ({ server }) => server.takeOvers > 0
}

/** Invalidates what it gave a tag to. The value that bore it must not be seen again. */
export const tagAndInvalidate: Op = {
  name: "tagCacheKey and invalidateTags",
  look: false,
  free: false,
  run: (process) =>
    Effect.gen(function*() {
      if (!(yield* tagCacheKey(key, ["X"]))) return []
      const tagged = process.tagged!
      yield* invalidateTags(["X"])
      process.world.ban(tagged)
      return []
    })
}

/** A list, which bears a tag, of what is written under another key. */
export const readList: Op = read("tagged", { id: "2" })

const listing = writeThrough(settings, { invalidateTags: ["T"] })((_: Id) =>
  Effect.map(
    Here.use((process) => process.commit([key, "row:2"])),
    ([row]) => row!
  )
)
/** Both rows are acknowledged. */
export const writeList: Op = {
  name: "writeThrough of a row that is in a list",
  look: false,
  free: false,
  run: (process) =>
    Effect.suspend(() => {
      const before = process.committed.length
      return Effect.map(listing(first), () => process.committed.slice(before, before + 2))
    })
}
export const byListTag: Op = { ...change("invalidateTags of the list", invalidateTags(["T"]), ["row:2"]) }

/** Once a process has died, and a lease and a sweep have passed, what it had committed counts. */
export const sweepLater: Op = {
  name: "a lease and a sweep later",
  sweeps: true,
  look: false,
  free: true,
  // Or when nobody is left who could die.
  when: ({ actors, processes }) =>
    processes.some(({ alive }) => !alive) ||
    actors.every(({ at, ops }) => at === ops.length || ops.includes(sweepLater)),
  run: ({ world }) =>
    Effect.suspend(() => {
      const dead = world.processes.filter(({ alive }) => !alive)
      return Effect.map(Effect.sleep("25 seconds"), () => dead.flatMap(({ committed }) => committed))
    })
}
/** The same, and a sweep before it, while everybody lives. */
export const sweepAfter: Op = {
  ...sweepLater,
  name: "a sweep, and another when one has died",
  when: undefined,
  run: ({ world }) =>
    Effect.map(Effect.andThen(Effect.sleep("12 seconds"), Effect.sleep("25 seconds")), () =>
      world.processes.filter(({ alive }) => !alive).flatMap(({ committed }) => committed)
    )
}
export const afterSweep: Op = {
  ...readList,
  name: "read of the list after a sweep",
  when: ({ server }) => server.table.index.size === 0
}

/** A change in a database transaction. What it commits is acknowledged when it returns. */
const inTransaction = (name: string, body: Effect.Effect<unknown, unknown, CacheClient | Here>): Op => ({
  name: `${name} in a transaction`,
  look: false,
  free: false,
  bypasses: true,
  run: () => transaction(body)
})

const changing = writeThrough(settings)(({ id }: Id) => update(`row:${id}`))
const changed = changing(first)

export const txWrite = inTransaction("writeThrough", changed)
export const txWriteInvalidate = inTransaction(
  "writeThrough and invalidateKey",
  Effect.andThen(changed, invalidateKey(key))
)
export const txInvalidate = inTransaction("invalidateKey", Effect.andThen(invalidateKey(key), update(key)))
export const txTag = inTransaction("invalidateTags", Effect.andThen(invalidateTags(["T"]), update(key)))
export const txPattern = inTransaction("invalidatePattern", Effect.andThen(update(key), invalidatePattern("row:*")))
export const txBack = inTransaction("a writeThrough that is rolled back", Effect.andThen(changed, Effect.fail("back")))
export const txSet = inTransaction(
  "CacheClient.set",
  Effect.flatMap(update(key), (row) =>
    CacheClient.use((client) => client.set(key, row, { schema: Schema.Any, ttl: "1 hour" }))
  )
)
export const txRefresh = inTransaction("refresh", Effect.andThen(update(key), cached.plain.refresh(first)))
/** What it has changed it sees, and nobody else does. */
export const txReads = inTransaction(
  "a change and two reads",
  Effect.gen(function*() {
    const row = yield* update(key)
    yield* invalidateKey(key)
    for (let i = 0; i < 2; i++) {
      const found = yield* cached.plain(first)
      if (found !== row) return yield* Effect.die(`it sees v${(found as Row).version} and not v${row.version}`)
    }
  })
)
/** The savepoint is rolled back, and then the row is changed once more. */
export const txSavepoint = inTransaction(
  "writeThrough around a savepoint that is rolled back",
  Effect.andThen(Effect.ignore(savepoint(Effect.andThen(changed, Effect.fail("back")))), update(key))
)

export const txList = inTransaction(
  "a change of a row and its list",
  Effect.andThen(update("row:2"), Effect.andThen(invalidateTags(["T"]), update("row:2")))
)
/** A read of what it has changed, and announces later. */
export const txLoads = inTransaction(
  "a change, a read, and then an invalidation",
  Effect.andThen(update(key), Effect.andThen(cached.plain(first), invalidateKey(key)))
)
