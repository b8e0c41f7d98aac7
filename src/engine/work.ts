/**
 * Loads and writes of this process, who waits for their end, and which of them waits for which, of whatever client. A wait
 * that would close a circle is not begun.
 */
import { Context, Effect, Exit, type Fiber } from "effect"
import { nextTurn } from "../internal/nextTurn.ts"
import { bounce } from "../internal/trampoline.ts"

/** A load or a write. What its code asks for knows of it by `CurrentWork`. */
export class Work {
  readonly kind: "load" | "write"
  /** The store whose entry it makes. */
  readonly store: object
  readonly key: string
  /** Of a write of several keys. */
  others: ReadonlySet<string> | undefined = undefined
  /** What it is part of, if its code was started by another. */
  readonly parent: Work | undefined
  /** It, or a work around it, runs in the fiber of its parent, and is no flight. */
  readonly inline: boolean
  /** Its code has ended; what that left running asks like anybody else. */
  ran = false
  /** It has ended, with all that comes behind its code. */
  done = false
  /** What it waits for. */
  waits: Set<Wait> | undefined = undefined
  /** Who only waits for its end. */
  watchers: Waiters<Waiter> | undefined = undefined

  constructor(kind: "load" | "write", store: object, key: string, parent: Work | undefined, inline: boolean) {
    this.kind = kind
    this.store = store
    this.key = key
    this.parent = stillRunning(parent)
    this.inline = inline || this.parent?.inline === true
  }

  /** To be called once, when it has ended. */
  end(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.ran = this.done = true
    this.waits = undefined
    this.watchers?.tellAll(Exit.void, fiber)
  }
}

/** One thing that a work waits for. Who is taken along by another flight waits for that. */
export interface Wait {
  on: Work
}

/** The work that the running code is part of. */
export const CurrentWork = Context.Reference<Work | undefined>("effect-cache/CurrentWork", {
  defaultValue: () => undefined
})

/** The innermost that has not ended. */
export const stillRunning = (work: Work | undefined): Work | undefined => {
  let at = work
  while (at?.ran === true) at = at.parent
  return at
}

/** Whether this is the code of a work on that key: it must not wait for itself. */
export const isWithin = (work: Work | undefined, store: object, key: string): boolean => {
  for (let at = work; at !== undefined; at = at.parent) {
    if (at.store === store && !at.ran && (at.key === key || at.others?.has(key) === true)) return true
  }
  return false
}

/** Whether `target` waits for `who`, in turns: then `who` must not wait for it. */
export const closesCircle = (who: Work | undefined, target: Work): boolean => {
  if (who === undefined) return false
  if (who === target) return true
  if (target.waits === undefined || target.waits.size === 0) return false
  const seen = new Set<Work>([target])
  for (const work of seen) {
    if (work.waits === undefined) continue
    for (const { on } of work.waits) {
      if (on === who) return true
      seen.add(on)
    }
  }
  return false
}

/** To be run in the evaluation that asked `closesCircle`. */
export const beginWait = (who: Work | undefined, wait: Wait): void => {
  if (who?.ran === false) (who.waits ??= new Set()).add(wait)
}

export const endWait = (who: Work | undefined, wait: Wait): void => {
  who?.waits?.delete(wait)
}

/**
 * Who works under which lease, among all clients of this process. Of stores in this process only their writes: their loads are
 * found by their key.
 */
export const holders = new Map<string, Work>()

/** One who waits for an end. */
export abstract class Waiter implements Wait {
  on: Work
  /** The work whose code waits. */
  readonly owner: Work | undefined
  list: object | undefined = undefined
  before: this | undefined = undefined
  after: this | undefined = undefined

  constructor(on: Work, owner: Work | undefined) {
    this.on = on
    this.owner = owner
  }

  /** Called once, unless it is removed before. Must not throw. */
  abstract tell(exit: Exit.Exit<unknown, unknown>): void
}

/** More than these are told in turns of their own, so that the event loop is not held. */
const toldInATurn = 256

/** In the order in which they came. What one costs does not depend on how many there are. */
export class Waiters<W extends Waiter> {
  size = 0
  #first: W | undefined = undefined
  #last: W | undefined = undefined

  add(waiter: W): void {
    beginWait(waiter.owner, waiter)
    this.#append(waiter)
  }

  /** `false`: it is not here any more. */
  remove(waiter: W): boolean {
    if (waiter.list !== this) return false
    endWait(waiter.owner, waiter)
    this.#unlink(waiter)
    return true
  }

  /** Takes all of another list along, to wait for `on` from now on. */
  take(others: Waiters<W>, on: Work, each: (waiter: W) => void): void {
    for (let waiter = others.#first; waiter !== undefined; waiter = others.#first) {
      others.#unlink(waiter)
      waiter.on = on
      this.#append(waiter)
      each(waiter)
    }
  }

  /** Who has waited longest. */
  get first(): W | undefined {
    return this.#first
  }

  find(matches: (waiter: W) => boolean): W | undefined {
    let waiter = this.#first
    while (waiter !== undefined && !matches(waiter)) waiter = waiter.after as W | undefined
    return waiter
  }

  forEach(each: (waiter: W) => void): void {
    for (let waiter = this.#first; waiter !== undefined; waiter = waiter.after as W | undefined) each(waiter)
  }

  tellAll(exit: Exit.Exit<unknown, unknown>, fiber: Fiber.Fiber<unknown, unknown>): void {
    if (this.#first !== undefined) bounce(() => this.#tellSome(exit, fiber), fiber)
  }

  #tellSome(exit: Exit.Exit<unknown, unknown>, fiber: Fiber.Fiber<unknown, unknown>): void {
    let budget = toldInATurn
    try {
      for (let waiter: W | undefined = this.#first; waiter !== undefined && budget-- > 0; waiter = this.#first) {
        this.remove(waiter)
        waiter.tell(exit)
      }
    } finally {
      // Also if something was thrown by whoever one of them goes on with: the others wait all the same.
      if (this.#first !== undefined) {
        nextTurn(() => this.tellAll(exit, fiber), fiber)
      }
    }
  }

  #append(waiter: W): void {
    waiter.list = this
    waiter.before = this.#last
    if (this.#last === undefined) this.#first = waiter
    else this.#last.after = waiter
    this.#last = waiter
    this.size++
  }

  #unlink(waiter: W): void {
    if (waiter.before === undefined) this.#first = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === undefined) this.#last = waiter.before
    else waiter.after.before = waiter.before
    waiter.list = waiter.before = waiter.after = undefined
    this.size--
  }
}

class Watcher extends Waiter {
  readonly ended: () => void

  constructor(on: Work, owner: Work | undefined, ended: () => void) {
    super(on, owner)
    this.ended = ended
  }

  tell(): void {
    this.ended()
  }
}

/**
 * Waits until one of these has ended. `false`, at once: one of them waits for `who`, so nothing was begun.
 */
export const untilOneEnds = (who: Work, works: ReadonlyArray<Work>): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    if (works.some(({ done }) => done)) return resume(Exit.succeed(true))
    if (works.some((work) => closesCircle(who, work))) return resume(Exit.succeed(false))
    const forget = (): void => {
      for (const watcher of watchers) watcher.on.watchers!.remove(watcher)
    }
    const watchers = works.map(
      (work) =>
        new Watcher(work, who, () => {
          forget()
          resume(Exit.succeed(true))
        })
    )
    for (const watcher of watchers) (watcher.on.watchers ??= new Waiters()).add(watcher)
    return Effect.sync(forget)
  })
