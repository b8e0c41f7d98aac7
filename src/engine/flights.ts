/**
 * Loads of this process, by key, and which of them a caller may join.
 *
 * A shared load belongs to no caller: it survives the interruption of any of them (`lender.ts`), and is interrupted when the last
 * one leaves. Its end, whatever it is, reaches all who wait.
 */
import type { Exit, Fiber } from "effect"
import { keepOne } from "../internal/keepOne.ts"
import type { OpenSpan } from "../observe/span.ts"
import type { LocalPrimitives } from "../services/CacheBackend.ts"
import type { Request } from "./contract.ts"
import { type Alarms, equallyPatient, type Limit, type Patience } from "./patience.ts"
import { holders, Waiter, Waiters, Work } from "./work.ts"

/**
 * What tells whether two calls may share one load: the codec that gives values their type, and the function that loads, which
 * has one party for all its calls.
 */
export interface Party extends Patience {
  readonly region: { readonly codec: object | undefined }
}

/** Where a flight takes place. */
interface Field {
  readonly backend: { readonly local: LocalPrimitives | undefined }
}

/** A run of its loader in a context with a scope (`lender.ts`). */
interface LentRun {
  /** It has given what others have no use for, because that scope had closed. */
  readonly isStale: boolean
  /** Whether another run takes its place, because that scope has closed. */
  readonly lapsed: () => boolean
  /** One came to wait. */
  readonly joined: (caller: Caller) => void
  /** Those who waited for another flight wait for this one now. */
  readonly joinedByMany: () => void
  /** Its loader has ended. */
  readonly end: () => void
}

/** Grows with everything that has a place in time here: who came before whom. */
let moments = 0
const nextMoment = (): number => ++moments

/**
 * A load of this process, from before its trip to its end: first it is *open*, then it *asks*, and then it *runs*, or is open
 * again until another has ended, or its callers are taken along by one that runs or is open.
 */
export class Flight {
  readonly key: string
  /** What it takes the lease with. One that was given back is not taken again with the same. */
  token: string
  /** Of the request whose loader runs. */
  party: Party
  /** Of a store in this process. */
  readonly local: LocalPrimitives | undefined
  /** What it does: a refresh loads also when there is a valid entry. */
  readonly kind: "load" | "refresh"
  readonly work: Work
  readonly came = nextMoment()
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** How often its body was started: only the last one counts. */
  launched = 0
  /** Its loader runs in a context that has a scope. */
  lent: LentRun | undefined = undefined
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  readonly callers = new Waiters<Caller>()
  /** How many callers it had, also those who left. */
  boarded = 0
  /** Of callers that do not wait for ever. */
  alarms: Alarms | undefined = undefined
  /** The last caller left: it is being interrupted, and nobody may join. */
  abandoned = false
  /** When it began to run. */
  ran = 0
  /** It waited for another one to end, before its next trip: each of its callers is bound by itself. */
  reopened = false
  /** Of callers that have waited for as long as they wanted: it waits for nobody's lease. */
  isImpatient = false
  /** When the last of its callers came. */
  latest = this.came
  /**
   * Its witness, by which a caller knows whether it may join: who held the lease when its trip was carried out (itself, or
   * somebody else), and the epoch of that moment. Where nobody held it, because the store refused, there is none.
   */
  holder: string | undefined = undefined
  epoch = Number.NaN
  /** When its load began, by the time of this process; no number before that. */
  startedAt = Number.NaN
  /** There is no copy of what it loaded: all its callers share that. */
  uncopied = false
  /** The next flight of the same key. */
  next: Flight | undefined = undefined
  /** It broke off (`Flights.broken`), by what, and the one that did before it. */
  isBroken = false
  thrown: unknown = undefined
  brokenBefore: Flight | undefined = undefined
  #former: Array<string> | undefined = undefined

  constructor(
    store: Field,
    key: string,
    token: string,
    party: Party,
    kind: "load" | "refresh",
    parent: Work | undefined
  ) {
    this.key = key
    this.token = token
    this.party = party
    this.local = store.backend.local
    this.kind = kind
    this.work = new Work("load", store, key, parent, false)
  }

  /** Makes known who works under its token, to all clients of this process. */
  name(): void {
    holders.set(this.token, this.work)
  }

  /** Takes another token. Whoever saw the one before finds it by that as well. */
  rename(token: string): void {
    ;(this.#former ??= []).push(this.token)
    this.token = token
    this.name()
  }

  /**
   * What comes with its end, before anybody hears of it. A lease of this process does not end by itself, so it is given back
   * however the load ended: a fill has done so already.
   */
  left(_exit: Exit.Exit<unknown, unknown>): void {
    this.local?.release(this.key, this.token)
    holders.delete(this.token)
    if (this.#former !== undefined) for (const token of this.#former) holders.delete(token)
  }
}

/** One of the callers of a flight. */
export abstract class Caller extends Waiter {
  /** The one it waits for: that which it boarded, or which took that one along. */
  flight: Flight
  readonly came: number
  abstract readonly request: Request
  abstract readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Only where it does not wait for ever. */
  limit: Limit | undefined = undefined
  /** Over its wait for the load of another, where somebody looks at spans. */
  span: OpenSpan | undefined = undefined

  constructor(flight: Flight, owner: Work | undefined, came = nextMoment()) {
    super(flight.work, owner)
    this.flight = flight
    this.came = came
  }

  /** Called instead of `tell`, if it waited for too long. */
  abstract tooLate(): void

  readonly late = (): void => {
    const { flight } = this
    if (!flight.callers.remove(this)) return
    if (flight.callers.size === 0) {
      flight.abandoned = true
      flight.fiber?.interruptUnsafe()
    }
    this.tooLate()
  }
}

keepOne(
  new Flight(
    { backend: { local: undefined } },
    "",
    "",
    { region: { codec: undefined }, leaseMillis: undefined, wait: undefined },
    "load",
    undefined
  )
)

/** Same codec, so same type of value. Without one, only calls of the same function are of one type. */
const compatible = (a: Party, b: Party): boolean =>
  a.region.codec === b.region.codec && (a.region.codec !== undefined || a === b)

/** Whether it runs for others too, and gives values of their type. */
const mayJoin = (flight: Flight, party: Party): boolean =>
  !flight.abandoned && flight.exit === undefined && flight.lent?.isStale !== true && compatible(flight.party, party)

const mayBoard = (flight: Flight, party: Party): boolean =>
  !flight.abandoned && compatible(flight.party, party) && equallyPatient(flight.party, party)

/** The flights of each key, as a chain: the oldest first. */
class Chains {
  readonly byKey = new Map<string, Flight>()

  add(flight: Flight): void {
    let last = this.byKey.get(flight.key)
    if (last === undefined) {
      this.byKey.set(flight.key, flight)
      return
    }
    while (last.next !== undefined) last = last.next
    last.next = flight
  }

  remove(flight: Flight): void {
    const first = this.byKey.get(flight.key)
    if (first === flight) {
      if (flight.next === undefined) this.byKey.delete(flight.key)
      else this.byKey.set(flight.key, flight.next)
    } else {
      for (let before = first; before !== undefined; before = before.next) {
        if (before.next === flight) before.next = flight.next
      }
    }
    flight.next = undefined
  }

  find(key: string, matches: (flight: Flight) => boolean): Flight | undefined {
    for (let flight = this.byKey.get(key); flight !== undefined; flight = flight.next) {
      if (matches(flight)) return flight
    }
    return undefined
  }

  *all(): Iterable<Flight> {
    for (const first of this.byKey.values()) {
      for (let flight: Flight | undefined = first; flight !== undefined; flight = flight.next) yield flight
    }
  }
}

export class Flights {
  /** Nothing was sent yet: whoever calls now may join, because the trip is still to come. A few a key. */
  readonly #open = new Chains()
  /** Their trip is sent, and they load nothing yet: they may be many, and nobody looks for one. */
  readonly #asking = new Set<Flight>()
  /** Two a key, or hardly more. */
  readonly #running = new Chains()
  /**
   * The last one that broke off on a stack so full that nothing could be called to see to it. `mend` (`boarding.ts`) does so
   * before anybody looks for a flight here.
   */
  broken: Flight | undefined = undefined

  /** Its client is closed, or is being closed. */
  closed = false

  get size(): number {
    let size = this.#asking.size
    for (const chains of [this.#open, this.#running]) for (const _ of chains.all()) size++
    return size
  }

  /** Its trip is still to come. */
  open(flight: Flight): void {
    this.#open.add(flight)
  }

  /** Its trip is about to be sent. */
  ask(flight: Flight): void {
    this.#open.remove(flight)
    this.#asking.add(flight)
  }

  /** Its next trip is to come, when another has ended; who boards until then is bound by itself. */
  reopen(flight: Flight): void {
    this.#asking.delete(flight)
    flight.reopened = true
    this.#open.add(flight)
  }

  /** Its load is about to begin. Whoever waited for others until now waits for its own from here on, as long as that takes. */
  run(flight: Flight): void {
    this.#asking.delete(flight)
    flight.ran = nextMoment()
    flight.alarms?.stop()
    flight.alarms = undefined
    this.#running.add(flight)
  }

  remove(flight: Flight): void {
    if (flight.ran > 0) this.#running.remove(flight)
    else if (!this.#asking.delete(flight)) this.#open.remove(flight)
  }

  /** A flight of this kind whose trip is not sent yet, and that waits for others as long as this party would, or not at all. */
  opened(key: string, party: Party, kind: Flight["kind"], isImpatient = false): Flight | undefined {
    return this.#open.find(
      key,
      (flight) => flight.kind === kind && flight.isImpatient === isImpatient && mayBoard(flight, party)
    )
  }

  /** Of these the one that is open until another has ended. */
  waiting(key: string, party: Party): Flight | undefined {
    return this.#open.find(key, (flight) => flight.reopened && mayBoard(flight, party))
  }

  /**
   * A running flight that may be joined by a caller whose own trip saw `holder` and `epoch`. The same holder means that no key
   * or pattern invalidation came between the two trips (it drops the lease, and no token takes it twice); the same epoch, that
   * no tag invalidation did. So the load began after everything that was acknowledged before the caller started, and it does
   * not matter whether the flight holds the lease itself.
   */
  joinable(key: string, party: Party, holder: string | undefined, epoch: number): Flight | undefined {
    // Nobody's lease is no witness: it may have been lost twice.
    if (holder === undefined) return undefined
    return this.#running.find(
      key,
      (flight) => flight.holder === holder && flight.epoch === epoch && mayJoin(flight, party)
    )
  }

  /** A running flight that may be joined whatever was seen, because it began after the caller came. */
  begunSince(came: number, key: string, party: Party): Flight | undefined {
    return this.#running.find(key, (flight) => flight.ran > came && mayJoin(flight, party))
  }

  /** The running flights of a key, the newest last. */
  runningOf(key: string): ReadonlyArray<Flight> {
    const all: Array<Flight> = []
    for (let flight = this.#running.byKey.get(key); flight !== undefined; flight = flight.next) all.push(flight)
    return all
  }

  /** The running flight whose own lease has this token. */
  holding(key: string, token: string): Flight | undefined {
    return this.#running.find(key, (flight) => flight.token === token)
  }

  /** Whether loads of this key run, and no further one may begin at once. */
  isFull(key: string): boolean {
    return this.#running.byKey.get(key)?.next !== undefined
  }

  isRunning(key: string): boolean {
    return this.#running.byKey.has(key)
  }

  /** All that have not ended. */
  all(): ReadonlyArray<Flight> {
    return [...this.#open.all(), ...this.#asking, ...this.#running.all()]
  }
}
