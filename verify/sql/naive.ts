/**
 * The control: a cache as it is usually written. GET; on a miss load and SET; on a change DEL or SET, at once, also inside a
 * transaction.
 *
 * Inside a transaction others load the old row after the DEL and before the commit, and it stays; and what the transaction loads
 * or sets is there for all, also when it is rolled back. The harness must find both, or what it says of anything else means nothing.
 */
import { Effect } from "effect"
import { Redis } from "ioredis"
import type { Row, Source, Subject, SubjectOptions } from "./subject.ts"
import { groupOf, keysIn, listKey, listOf, type Ref, rowKey, rowsIn } from "./world.ts"

const ttlSeconds = 120

export const makeNaive = ({ namespace, url }: Omit<SubjectOptions, "leaseMillis">, source: Source): Subject => {
  const redis = new Redis(url)
  const name = (key: string) => `${namespace}:${key}`
  const store = (value: { readonly key: string }) =>
    Effect.promise(() => redis.set(name(value.key), JSON.stringify(value), "EX", ttlSeconds))
  const remove = (keys: ReadonlyArray<string>) =>
    keys.length === 0 ? Effect.void : Effect.asVoid(Effect.promise(() => redis.del(...keys.map(name))))
  const read = <A extends { readonly key: string }, E, R>(key: string, load: Effect.Effect<A, E, R>) =>
    Effect.flatMap(
      Effect.promise(() => redis.get(name(key))),
      (found) => (found === null ? Effect.tap(load, store) : Effect.succeed(JSON.parse(found) as A))
    )
  /** `rows:3:1` and `lists:3:1`: what bears them. */
  const bearers = (tag: string) => {
    const [kind, zone, group] = tag.split(":")
    return kind === "rows" ? rowsIn(Number(zone), Number(group)) : [listKey(Number(zone), Number(group))]
  }
  const matching = (pattern: string) =>
    keysIn(Number(pattern.split(":")[1])).filter((key) => key.startsWith(pattern.slice(0, -1)))
  const changed = (zone: number, { id }: Row) => remove([rowKey({ zone, id }), listKey(zone, groupOf(id))])
  return {
    readRow: (_, ref) => read(rowKey(ref), source.loadRow(ref)),
    readList: (_, zone, group) => read(listKey(zone, group), source.loadList(zone, group)),
    invalidateKey: (key) => remove([key]),
    invalidateTags: (tags) => remove(tags.flatMap(bearers)),
    invalidatePattern: (pattern) => remove(matching(pattern)),
    set: (_, row) => Effect.asVoid(store(row)),
    refresh: (ref: Ref) => Effect.tap(source.loadRow(ref), store),
    through: (ref, write) => Effect.tap(write, (row) => Effect.andThen(store(row), remove([listOf(ref)]))),
    create: (zone, write) => Effect.tap(write, (row) => changed(zone, row)),
    remove: (ref, write) => Effect.tap(write, (row) => changed(ref.zone, row))
  }
}
