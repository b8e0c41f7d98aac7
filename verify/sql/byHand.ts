/**
 * A second control: what a careful program does by itself. In a transaction it reads past the cache, and it announces what it has
 * written after the commit (`sql.afterCommit`).
 *
 * R1 holds so, and the harness must accuse it of nothing but one thing: where the process dies, or nobody knows what became of
 * COMMIT, what it would have announced stays old.
 */
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { type Fault, makeSubject, type Needs, type Source, type Subject } from "./subject.ts"
import { groupOf, listTag, type Ref, rowKey } from "./world.ts"

type Step<A> = Effect.Effect<A, Fault, Needs>

const either = <A>(inside: Step<A>, outside: Step<A>): Step<A> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.flatMap(Effect.serviceOption(sql.transactionService), (open) => (Option.isSome(open) ? inside : outside))
  )

const later = (announce: Step<void>): Step<void> =>
  either(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.afterCommit(Effect.orDie(announce))),
    announce
  )

export const makeByHand = (source: Source): Subject => {
  const cache = makeSubject(source)
  const forgetRow = (ref: Ref) => later(cache.invalidateKey(rowKey(ref)))
  const forget = (ref: Ref) =>
    Effect.andThen(forgetRow(ref), later(cache.invalidateTags([listTag(ref.zone, groupOf(ref.id))])))
  return {
    readRow: (kind, ref) => either(source.loadRow(ref), cache.readRow(kind, ref)),
    readList: (kind, zone, group) => either(source.loadList(zone, group), cache.readList(kind, zone, group)),
    invalidateKey: (key) => later(cache.invalidateKey(key)),
    invalidateTags: (tags) => later(cache.invalidateTags(tags)),
    invalidatePattern: (pattern) => later(cache.invalidatePattern(pattern)),
    set: forgetRow,
    refresh: (ref) => Effect.andThen(forgetRow(ref), source.loadRow(ref)),
    through: (ref, write) =>
      either(
        Effect.tap(write, () => forget(ref)),
        cache.through(ref, write)
      ),
    create: (zone, write) => Effect.tap(write, ({ id }) => forget({ zone, id })),
    remove: (ref, write) => Effect.tap(write, () => forget(ref))
  }
}
