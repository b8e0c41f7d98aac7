/**
 * The way of a flight: its trip, and by the answer it loads and lands, or its callers join a flight that runs, or it waits and
 * asks anew. Who loads, and when, is decided here, for every pattern and store.
 */
import { Clock, Effect, Random } from "effect"
import { CacheError, WaitTimeout } from "../CacheError.ts"
import { whenFull } from "../internal/noRoom.ts"
import { monotonicMillis } from "../internal/processTime.ts"
import { sayOutcome } from "../observe/span.ts"
import { isWrite, maxListed, writersOf } from "../protocol/lease.ts"
import { boundAll, takeAlong } from "./boarding.ts"
import { mustFail, type Plan, type Request } from "./contract.ts"
import type { Flight } from "./flights.ts"
import { leaseOf, type LoadContext } from "./land.ts"
import { loadAndLand, loadUnstored, type Restore, StoreFailure } from "./load.ts"
import { momentOf } from "./moment.ts"
import { limitOf } from "./patience.ts"
import type { Claim } from "./claim.ts"
import type { Store } from "./store.ts"
import { beginWait, closesCircle, endWait, holders, untilOneEnds, type Work } from "./work.ts"

/** Whoever waits goes on without this store, or hears of it. */
const orStoreFailure = <A, R>(plan: Plan, self: Effect.Effect<A, CacheError, R>): Effect.Effect<A, StoreFailure, R> => {
  const failed = Effect.mapError(self, (error) => new StoreFailure(error))
  return mustFail(plan)
    ? failed
    : Effect.tapError(failed, () => Effect.withFiber((fiber) => Effect.succeed(sayOutcome(fiber, "bypass"))))
}

export interface Way {
  readonly context: LoadContext
  readonly store: Store
  readonly request: Request
  /** Whether what is loaded for a plan is stored. */
  readonly keeps: (store: Store, plan: Plan) => boolean
}

const firstPollMillis = 20
const lastPollMillis = 250

/** Loads of one key that run at once in a process, whatever is invalidated meanwhile. */
const maxRunning = 2

/** Pauses for an entry that is being settled, doubled: five of them, then it counts as stale. */
const firstSettleMillis = 5
const lastSettleMillis = 80

/**
 * The body of a flight that loads where there is no valid entry. Fails with `StoreFailure` when the store fails before a load
 * has started.
 */
export const fly = (way: Way, flight: Flight) =>
  Effect.uninterruptibleMask((restore) => giveBackOnError(way, flight, steps(way, flight, restore)))

/** Whatever is thrown between the trip that was granted the lease and the load, which sees to it from then on. */
const giveBackOnError = <A, E, R>(
  { context, request, store }: Way,
  flight: Flight,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.onError(self, () =>
    flight.ran === 0 && flight.holder === flight.token
      ? store.giveBack(request.key, flight.token, leaseOf(context, request.plan))
      : Effect.void
  )

const steps = Effect.fnUntraced(function*(
  way: Way,
  flight: Flight,
  restore: Restore
): Effect.fn.Return<unknown, unknown, unknown> {
  const { context, keeps, request, store } = way
  const { key, plan } = request
  const { flights } = store
  const leaseMillis = leaseOf(context, plan)
  // Callers that arrive before the trip is sent share it. A trip to memory takes no time, so there is nothing to share.
  if (!store.inPlace) yield* Effect.yieldNow
  const clock = yield* Clock.Clock
  const fiber = yield* Effect.withFiber((self) => Effect.succeed(self))
  const { isImpatient } = flight
  let limit = limitOf(plan, context.defaultLeaseMillis, isImpatient ? -Infinity : monotonicMillis(clock))
  const unstored = () => {
    sayOutcome(fiber, "bypass")
    return loadUnstored(context, store, flight, request, restore)
  }
  let pollMillis = firstPollMillis
  let settleMillis = firstSettleMillis
  /** Until when it waits for its turn, where enough loads of the key run. */
  let turnBy: number | undefined
  /** Whom it waits for, and for how many it has. */
  let awaited: string | undefined
  let waits = 0
  /** The writes that it found first. */
  let writers: ReadonlyArray<string> | undefined
  for (;;) {
    flights.ask(flight)
    if (flight.abandoned) return yield* Effect.interrupt
    // Trip 2. The epoch is read before the load starts, or an invalidation during the load would go unseen.
    const trip = store.claim(plan.region, key, flight.token, leaseMillis)
    const { epoch, found, holder, refused } = yield* orDisown(way, flight, trip)
    const granted = holder === flight.token
    if (typeof found === "object") {
      if (granted) yield* store.giveBack(key, holder, leaseMillis)
      sayOutcome(fiber, "hit")
      return found.value
    }
    if (found === "unsettled" && granted && plan.wait !== undefined && settleMillis <= lastSettleMillis) {
      // Another process has just filled, and is about to confirm the markers: one load among all is worth the moment.
      yield* renounce(way, flight, leaseMillis)
      yield* restore(Effect.sleep(settleMillis))
      settleMillis *= 2
      continue
    }
    flight.holder = holder
    flight.epoch = epoch
    if (refused !== undefined) yield* context.record(plan.region, refused)

    // From here to where it runs, joins or waits is one evaluation: what it has seen of the others must still hold then.
    // Join, by the witness of the trip, or because it began after all of them came. Who is impatient joins nothing else.
    const overdue = !granted && store.suspects.isOverdue(key, holder, leaseMillis, clock)
    const joins = !granted && !overdue
    const witness = joins && !isImpatient ? flights.joinable(key, flight.party, holder, epoch) : undefined
    const other = joins ? (witness ?? flights.begunSince(flight.latest, key, flight.party)) : undefined
    if (other !== undefined) {
      // In this process the trip is over before its first caller has boarded: nobody is there to take along.
      if (flight.boarded === 0 || closesCircle(flight.work, other.work)) return yield* unstored()
      sayOutcome(fiber, "shared")
      // Those who boarded it are counted already, and whoever will not wait was when he did.
      if (!isImpatient) context.counters(plan.region).shared(momentOf(fiber.context))
      takeAlong(flight, other, isImpatient ? undefined : limit, fiber, store.backend.name)
      return undefined
    }

    const now = monotonicMillis(clock)
    const left = limit === undefined ? Infinity : limit.deadline - now
    // Its callers wait for nothing anew, whatever becomes of it.
    if (left <= 0) flight.isImpatient = true
    const runningNow = flights.runningOf(key)
    const newest = runningNow.at(-1)
    const holding = granted || holder === undefined ? [] : worksOf(runningNow, holder)
    const ourLoad = holding.find((work) => work.kind === "load" && work.store === store)
    // Whose trip was granted the lease, or saw that of another, came after an invalidation of the key that the newest may not
    // have seen. Nobody's lease says nothing.
    const mayBeOlder = newest?.holder !== undefined && holder !== undefined && newest.holder !== holder
    /** It has waited for its turn for as long as it does. */
    const turnIsOver = turnBy !== undefined && turnBy <= now

    if (left > 0 && joins && (ourLoad !== undefined || (newest !== undefined && !mayBeOlder))) {
      // A load of this process, but from before an invalidation, or of another type: wait for its end, and come in anew.
      const older = ourLoad ?? newest!.work
      if (holder === undefined && !isImpatient) {
        // A store that is full says nothing by which anybody could join, so those who wait share the next trip, or each would
        // load in its turn. It can be shared until it is sent, at once when the other has ended: or those who come in that
        // moment would be there first, again and again.
        const next = flights.waiting(key, flight.party)
        if (next !== undefined && !closesCircle(flight.work, next.work)) {
          sayOutcome(fiber, "shared")
          context.counters(plan.region).shared(momentOf(fiber.context))
          takeAlong(flight, next, limit, fiber, store.backend.name)
          return undefined
        }
        if (limit !== undefined) boundAll(flight, limit, fiber)
        limit = undefined
        flights.reopen(flight)
        if (yield* restore(untilEnd(flight.work, [older], Infinity))) continue
        flights.ask(flight)
        return yield* unstored()
      }
      if (!(yield* restore(untilEnd(flight.work, [older], left)))) return yield* unstored()
    } else if (left > 0 && joins && holder !== undefined && plan.wait !== undefined) {
      if (holding.some((work) => closesCircle(flight.work, work))) return yield* unstored()
      if (awaited !== holder) {
        awaited = holder
        if (++waits > (plan.wait.loads ?? Infinity)) return yield* unstored()
      }
      if (isWrite(holder)) {
        // Of writes that overlap the lease does not end: those that came after it are no reason to wait. Of those that are not
        // listed nobody knows when they end, nor whether one of them waits for it.
        const there = writersOf(holder)
        writers ??= there
        if (there.length >= maxListed || !there.some((token) => writers!.includes(token))) return yield* unstored()
      }
      yield* restore(awaitHolder(store, flight.work, key, holder, holding, Math.min(pollMillis, left)))
      pollMillis = Math.min(lastPollMillis, pollMillis * 1.5)
    } else if (left <= 0 && joins && plan.wait?.onTimeout === "fail") {
      store.suspects.note(key, holder, leaseMillis, clock)
      return yield* new CacheError({ reason: new WaitTimeout({ name: key, millis: limit!.millis }) })
    } else if (runningNow.length < maxRunning || (overdue && turnIsOver)) {
      if (overdue) {
        // By comparison: whoever holds it now is not the one that was noted, or it is over with that one.
        const takeOver = store.backend.takeOverFrom(key, holder!, flight.token, leaseMillis)
        const taken = yield* orDisown(
          way,
          flight,
          whenFull(takeOver, () => Effect.undefined)
        )
        if (taken !== true) {
          if (taken === false) store.suspects.ended(key, holder!, false, clock)
          continue
        }
        if (flights.isFull(key) && !turnIsOver) {
          yield* renounce(way, flight, leaseMillis)
          continue
        }
        flight.holder = flight.token
        store.suspects.ended(key, holder!, true, clock)
      } else if (!granted) {
        const late = Effect.sync(() => store.suspects.note(key, holder, leaseMillis, clock))
        return yield* Effect.ensuring(unstored(), late)
      }
      return yield* loadAndLand(context, store, flight, request, leaseMillis, keeps, restore)
    } else {
      // Enough loads of this key run here: wait for one to end, and come in anew; after a lease, load without storing.
      if (granted) yield* renounce(way, flight, leaseMillis)
      turnBy ??= now + leaseMillis
      if (turnIsOver) {
        if (!granted) store.suspects.note(key, holder, leaseMillis, clock)
        return yield* unstored()
      }
      const works = runningNow.map(({ work }) => work)
      if (!(yield* restore(untilEnd(flight.work, works, turnBy - now)))) return yield* unstored()
    }
    const again = yield* orStoreFailure(plan, store.read(plan.region, key))
    if (typeof again === "object") {
      sayOutcome(fiber, "hit")
      return again.value
    }
  }
})

/**
 * A trip that takes the lease. One that fails, or dies over what it finds, may have been carried out all the same; the lease must
 * not stay behind for its whole TTL.
 */
const orDisown = <A, R>(
  { context, request, store }: Way,
  flight: Flight,
  trip: Effect.Effect<A, CacheError, R>
): Effect.Effect<A, StoreFailure, R> =>
  orStoreFailure(
    request.plan,
    Effect.onError(trip, () => store.orphans.add(request.key, flight.token, leaseOf(context, request.plan)))
  )

/** Who works under that lease in this process: one, or several writes. */
const worksOf = (runningNow: ReadonlyArray<Flight>, holder: string): ReadonlyArray<Work> => {
  if (isWrite(holder)) return writersOf(holder).flatMap((token) => holders.get(token) ?? [])
  const work = holders.get(holder) ?? runningNow.find(({ token }) => token === holder)?.work
  return work === undefined ? [] : [work]
}

/** Gives the lease back, which was granted too soon. It is not taken again with this token: who saw that twice would believe
 * that nothing was invalidated in between. */
const renounce = ({ context, request, store }: Way, flight: Flight, leaseMillis: number): Effect.Effect<void> => {
  const { token } = flight
  flight.rename(context.makeToken())
  return store.giveBack(request.key, token, leaseMillis)
}

/** Until one of them has ended, or the time is over. `false`: one of them waits for this one. */
const untilEnd = (who: Work, works: ReadonlyArray<Work>, millis: number): Effect.Effect<boolean> => {
  const ended = untilOneEnds(who, works)
  return millis === Infinity ? ended : Effect.raceFirst(ended, Effect.as(Effect.sleep(millis), true))
}

/** Waits until the lease of somebody else seems to have ended: their hint, or a poll in case the hint is lost. */
const awaitHolder = (
  store: Store,
  who: Work,
  key: string,
  holder: string,
  holding: ReadonlyArray<Work>,
  pollMillis: number
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waits = holding.map((on) => ({ on }))
    for (const wait of waits) beginWait(who, wait)
    const seemsEnded = Effect.flatMap(Random.next, (random) =>
      Effect.raceFirst(
        Effect.catch(store.backend.awaitRelease(key, holder), () => Effect.never),
        Effect.sleep(pollMillis * (0.5 + random / 2))
      )
    )
    return waits.length === 0
      ? seemsEnded
      : Effect.ensuring(
          seemsEnded,
          Effect.sync(() => {
            for (const wait of waits) endWait(who, wait)
          })
        )
  })

/** A refresh: takes the lease over, loads, and stores if the lease is still its own. Those of one tick share it. */
export const renewNow = (way: Way, flight: Flight) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { context, keeps, request, store } = way
      const { key, plan } = request
      const { flights } = store
      const leaseMillis = leaseOf(context, plan)
      const fiber = yield* Effect.withFiber((self) => Effect.succeed(self))
      const unstored = () => {
        sayOutcome(fiber, "bypass")
        return loadUnstored(context, store, flight, request, restore)
      }
      yield* Effect.yieldNow
      const clock = yield* Clock.Clock
      /** Until when it waits for its turn. */
      let turnBy: number | undefined
      for (;;) {
        // Who asks for refreshes without end gets two at once. Those that wait share the next, because none is sent.
        if (flights.isFull(key)) {
          const now = monotonicMillis(clock)
          turnBy ??= now + leaseMillis
          const works = flights.runningOf(key).map(({ work }) => work)
          const mayWait = now < turnBy && (yield* restore(untilEnd(flight.work, works, turnBy - now)))
          if (mayWait) continue
          flights.ask(flight)
          return yield* unstored()
        }
        flights.ask(flight)
        if (flight.abandoned) return yield* Effect.interrupt
        const trip: Effect.Effect<Pick<Claim, "epoch" | "holder">, CacheError, unknown> = plan.yields === true
          ? store.claim(plan.region, key, flight.token, leaseMillis)
          : store.takeOver(key, flight.token, leaseMillis, "refresh")
        const { epoch, holder } = yield* orDisown(way, flight, trip)
        const granted = holder === flight.token
        // Others have begun meanwhile.
        if (flights.isFull(key)) {
          if (granted) yield* renounce(way, flight, leaseMillis)
          continue
        }
        flight.epoch = epoch
        flight.holder = holder
        // A write's lease stays. Who asks for refreshes without end must not keep the loads of others from being stored.
        if (!granted) return yield* unstored()
        return yield* loadAndLand(context, store, flight, request, leaseMillis, keeps, restore)
      }
    })
  )
