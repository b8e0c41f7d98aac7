/**
 * A backend on plain Maps, as small as a complete one can be. It stands for a server that several processes share: they
 * get their primitives from one store, and each primitive is one step of that server. Put your database in its place.
 */
import { Clock, Effect, Schedule } from "effect"
import { type CacheBackend, CacheLayer, type CachePrimitives, type LockStore, type TagIndex } from "effect-cache"
import type { ConformanceStore } from "effect-cache/testing"

const { isWrite, joined, left, voided, worksUnder } = CacheLayer.lease

/** Values that end at a time, in milliseconds of the server's clock. */
class Expiring<A> extends Map<string, { readonly value: A; readonly end: number }> {
  live(key: string, now: number): A | undefined {
    const found = this.get(key)
    if (found !== undefined && found.end <= now) this.delete(key)
    return this.get(key)?.value
  }
}

class MapStore {
  readonly entries = new Expiring<Uint8Array>()
  readonly leases = new Expiring<string>()
  readonly locks = new Expiring<{ readonly token: string; readonly fence: number }>()
  readonly markers = new Map<string, number>()
  fence = 0
  epoch: number | undefined = 1
  /** By one; an epoch that was lost comes back from the clock, above every value it had. */
  bump(now: number): number {
    this.epoch = this.epoch === undefined ? Math.round(now * 1000) : this.epoch + 1
    return this.epoch
  }
  /** What the lease says from now on, if it goes on, with the end it has. */
  say(key: string, text: string | undefined): void {
    if (text === undefined) this.leases.delete(key)
    else this.leases.set(key, { value: text, end: this.leases.get(key)!.end })
  }
  /** The lease first: where the two are two steps, a load in flight must not store between them. That of writes stays, and is void. */
  remove(key: string, now: number): boolean {
    const holder = this.leases.live(key, now)
    this.say(key, holder !== undefined && isWrite(holder) ? voided(holder) : undefined)
    return this.entries.live(key, now) !== undefined && this.entries.delete(key)
  }
}

/** One step of the server, at its time. */
const step = <A>(f: (now: number) => A): Effect.Effect<A> =>
  Effect.map(Clock.currentTimeNanos, (nanos) => f(Number(nanos / 1000n) / 1000))

const makeBackend = (store: MapStore): CacheBackend["Service"] => {
  const { entries, leases } = store
  const isOneOf = (holder: string | undefined, token: string) => holder !== undefined && worksUnder(holder, token)
  /** Whether `token` holds the lease, alone. An absent lease is a lost one. */
  const holds = (key: string, token: string, onLost: "keep" | "unlink" | "empty", now: number): boolean => {
    const holder = leases.live(key, now)
    if (holder === token) return true
    if (onLost !== "keep") entries.delete(key)
    if (onLost === "unlink") leave(key, token, holder)
    return false
  }
  const leave = (key: string, token: string, holder: string | undefined): void =>
    store.say(key, holder !== undefined && isWrite(holder) ? left(holder, token) : undefined)
  return {
    name: "map",
    format: "bytes",
    isolation: "reference",
    compressor: undefined,
    deadlineMillis: undefined,
    local: undefined,
    read: (key) => step((now) => entries.live(key, now)),
    acquire: (key, token, ttlMillis) =>
      step((now) => {
        const holder = leases.live(key, now)
        if (holder === undefined) leases.set(key, { value: token, end: now + ttlMillis })
        return holder ?? token
      }),
    takeOver: (key, token, ttlMillis, as, give) =>
      step((now) => {
        const holder = leases.live(key, now)
        const end = now + ttlMillis
        const unlinked = as === "write" && give !== undefined ? entries.live(key, now) : undefined
        if (as === "write") entries.delete(key)
        if (holder === undefined || holder === token || !isWrite(holder)) leases.set(key, { value: token, end })
        else if (as === "refresh") return { holder }
        else if (as === "set") {
          entries.delete(key)
          store.say(key, voided(holder))
          return { holder: voided(holder) }
        } else leases.set(key, { value: joined(holder, token), end: Math.max(leases.get(key)!.end, end) })
        return { holder: token, unlinked }
      }),
    takeOverFrom: (key, from, token, ttlMillis) =>
      step((now) => {
        const held = [from, token].includes(leases.live(key, now) ?? "")
        if (held) leases.set(key, { value: token, end: now + ttlMillis })
        return held
      }),
    renew: (key, token, ttlMillis) =>
      step((now) => {
        const holder = leases.live(key, now)
        if (holder === undefined || (holder !== token && !isOneOf(holder, token))) return false
        leases.set(key, { value: holder, end: Math.max(leases.get(key)!.end, now + ttlMillis) })
        return true
      }),
    // The fence: the comparison and the write are one step.
    fill: (key, token, { stored, ttlMillis }, onLost) =>
      step((now) => {
        if (!holds(key, token, onLost, now)) return false
        entries.set(key, { value: stored as Uint8Array, end: now + ttlMillis })
        return leases.delete(key)
      }),
    release: (key, token, onLost) =>
      step((now) => {
        if (holds(key, token, onLost, now)) return leases.delete(key)
        const holder = leases.live(key, now)
        if (isOneOf(holder, token)) leave(key, token, holder)
        return false
      }),
    remove: (keys) => step((now) => keys.filter((key) => store.remove(key, now)).length),
    removeMatching: (pattern) =>
      step((now) => {
        const matching = [...leases.keys(), ...entries.keys()].filter(CacheLayer.matcher(pattern))
        return matching.filter((key) => store.remove(key, now)).length
      }),
    addTags: (key, tags) =>
      step((now) => {
        if (entries.live(key, now) === undefined) return false
        const { end, value } = entries.get(key)!
        entries.set(key, { value: CacheLayer.addTags(value, tags), end })
        return true
      }),
    // This server tells nobody, so the lease is looked at now and then.
    awaitRelease: (key, token) =>
      step((now) => leases.live(key, now) !== token).pipe(
        Effect.repeat({ until: (ended) => ended, schedule: Schedule.spaced("5 millis") }),
        Effect.asVoid
      ),
    clear: step((now) => {
      for (const map of [entries, store.markers]) map.clear()
      for (const key of [...leases.keys()]) store.remove(key, now)
      store.bump(now)
    }),
    usage: step(() => {
      const bytes = [...entries.values()].reduce((sum, { value }) => sum + value.length, 0)
      return { scope: "server", entries: entries.size, bytes, evictions: 0 }
    })
  }
}

const makeTags = (store: MapStore): TagIndex["Service"] => ({
  epoch: step((now) => store.epoch ?? store.bump(now)),
  markers: (tags) => step(() => tags.map((tag) => store.markers.get(tag))),
  // At the epoch of now, never lower. Markers have no end here; where they have one, it is later than `ttlMillis`.
  ensure: (tags) =>
    step((now) => {
      const epoch = store.epoch ?? store.bump(now)
      for (const tag of tags) if (!store.markers.has(tag)) store.markers.set(tag, epoch)
    }),
  invalidate: (tags) =>
    step((now) => {
      const epoch = store.bump(now)
      for (const tag of tags) store.markers.set(tag, epoch)
    })
})

const makeLocks = (store: MapStore): LockStore => {
  const { locks } = store
  const holds = (name: string, token: string, now: number) => locks.live(name, now)?.token === token
  const put = (name: string, token: string, end: number): number => {
    locks.set(name, { value: { token, fence: ++store.fence }, end })
    return store.fence
  }
  return {
    acquire: (name, token, ttlMillis) =>
      step((now) =>
        locks.live(name, now) === undefined || holds(name, token, now) ? put(name, token, now + ttlMillis) : undefined
      ),
    extend: (name, token, ttlMillis) => step((now) => holds(name, token, now) && put(name, token, now + ttlMillis) > 0),
    release: (name, token) => step((now) => holds(name, token, now) && locks.delete(name))
  }
}

/** A new, empty store, as the conformance kit wants it; `connect` is what a program makes its layer from. */
export const openMapStore: Effect.Effect<ConformanceStore & { readonly connect: Effect.Effect<CachePrimitives> }> =
  Effect.sync(() => {
    const store = new MapStore()
    return {
      connect: Effect.sync(() => ({ backend: makeBackend(store), tags: makeTags(store), locks: makeLocks(store) })),
      advance: (millis) => Effect.sleep(millis),
      evict: (kind, name) =>
        Effect.sync(() => {
          if (kind === "entry") store.entries.delete(name)
          else if (kind === "lease") store.leases.delete(name)
          else if (kind === "marker") store.markers.delete(name)
          else store.epoch = undefined
        })
    }
  })
