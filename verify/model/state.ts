/** Digests of worlds, and of what is told in them. */
import type { CacheEntry } from "../../src/CacheEntry.ts"
import { fold, foldText } from "./hash.ts"
import { Row } from "./server.ts"
import type { World } from "./world.ts"

/**
 * A digest of everything that what happens from now on depends on. A process is deterministic, so what it was told, in that
 * order, stands for what is going on in it.
 */
export const stateOf = (world: World): number => {
  const { left, server, turn } = world
  let state = turn === undefined ? 0 : turn.name.charCodeAt(0)
  for (const name of Object.keys(left) as Array<keyof typeof left>) state = fold(state, left[name])
  for (const process of world.processes) {
    state = fold(state, process.alive ? 1 : 0)
    // Of a dead process only what it has sent is left.
    state = fold(state, process.alive || process.adrift.length > 0 ? process.history : 0)
    for (const { number } of process.adrift) state = fold(state, number)
    for (const queue of process.queues.values()) {
      for (const { number, reply } of queue) {
        if (reply !== undefined) state = fold(fold(state, number), digestOf(world, reply.value))
      }
    }
  }
  for (const key of world.keys) {
    const holder = server.lease(key)
    state = fold(state, digestOf(world, server.entry(key)))
    state = foldText(state, holder === undefined ? "" : (world.tokenName(holder) ?? "a token of memory"))
    state = fold(state, server.rows.get(key) ?? 0)
    state = foldText(state, server.locks.get(key)?.process.name ?? "")
    for (const process of world.processes) {
      state = fold(state, world.latest(key, process)?.version ?? 0)
      state = fold(state, world.latest(key, process, true)?.version ?? 0)
    }
  }
  for (const all of server.table.beside.values()) {
    for (const { text, token } of all.values()) state = foldText(foldText(state, world.tokenName(token) ?? ""), text)
  }
  for (const { mark, token } of server.table.index.values()) {
    state = foldText(foldText(state, world.tokenName(token) ?? ""), mark)
  }
  for (const tag of world.tags) state = fold(state, digestOf(world, server.markers.get(tag)))
  return fold(fold(fold(state, server.epoch ?? 0), server.clock), world.bans)
}

/** A digest of a reply, or of what the server holds. */
export const digestOf = (world: World, value: unknown): number => {
  switch (typeof value) {
    case "number":
      return fold(1, value)
    case "boolean":
      return value ? 3 : 2
    case "string":
      return foldText(4, world.tokenName(value) ?? value)
    case "undefined":
      return 5
  }
  if (value instanceof Row) return foldText(fold(6 + value.bannedBy, value.version), value.by)
  if (Array.isArray(value)) return value.reduce<number>((digest, item) => fold(digest, digestOf(world, item)), 7)
  const scanned = value as { readonly name?: string; readonly found?: boolean }
  if (scanned.name !== undefined) return foldText(scanned.found === true ? 8 : 9, scanned.name)
  if (value === null || !("born" in (value as object))) {
    return Object.values(value ?? {}).reduce<number>((digest, item) => fold(digest, digestOf(world, item)), 10)
  }
  const { born, tags, value: row } = value as CacheEntry
  return tags.reduce(foldText, fold(digestOf(world, row), born))
}
