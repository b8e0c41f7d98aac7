/**
 * `Intents` on Redis. Hash and index may be on two servers, so what concerns both is two commands of one flush.
 */
import { Deferred, Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { intentText, maxText, parseIntent, parsePlace, placeText } from "../../protocol/intent.ts"
import type { EndedIntent, IndexedIntent, Intent, Intents, Sweep } from "../../services/CacheBackend.ts"
import { all, type Commands, millisOf, type Names } from "./commands.ts"
import * as Scripts from "./intentScripts.ts"
import type { Script } from "./script.ts"
import { isForbidden } from "./wire/describe.ts"
import { type Argument, isOne, type Reply } from "./wire/wire.ts"

/** Of one key at once. */
const maxEnded = 32

/** The end, and a colon. */
const maxEnd = 17

const noop = () => undefined

const ttlOf = (ttlMillis: number): number => Math.min(millisOf(ttlMillis), Scripts.maxTtlMillis)

/** What a script is told of one that is put down: its ttl, what it says, how long the hash lives. */
export const putArgs = (intent: Intent, ttlMillis: number): ReadonlyArray<Argument> => {
  const ttl = ttlOf(ttlMillis)
  return [ttl, intentText(intent), ttl + Scripts.keptMillis]
}

const micros = (millis: number): number => Math.ceil(millis * 1000)

const isTexts = (reply: unknown): reply is ReadonlyArray<string> =>
  Array.isArray(reply) && reply.every((item) => typeof item === "string")

const endedOf =
  (key: string) =>
  (reply: unknown): ReadonlyArray<EndedIntent> =>
    Array.isArray(reply)
      ? reply.flatMap((found) => {
          if (!isTexts(found) || found.length !== 3) return []
          const [token, text, what] = found as readonly [string, string, string]
          return [{ key, token, text, intent: parseIntent(what) }]
        })
      : []

/** A user who may not do it keeps none, as before there were any: that is told by the connection, and is no outage. */
const allowed = <A>(otherwise: A, self: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
  Effect.catch(self, (error) => (isForbidden(error) ? Effect.succeed(otherwise) : Effect.fail(error)))

/** How many places go into the index with one command. */
const placesAtOnce = 256

/**
 * What goes into the index in one turn goes with one command, in the flush of that turn: all writes of a namespace share the index, and a
 * script for each is what they would wait for.
 */
export class IntentIndex {
  readonly #commands: Commands
  readonly #index: string
  #places: Array<readonly [place: string, ttl: number, reply: Reply]> = []

  constructor(commands: Commands, { index }: Names) {
    this.#commands = commands
    this.#index = index
  }

  add(key: string, token: string, ttlMillis: number, reply: Reply): void {
    // Before the flush: that is asked for in this turn, and by `nextTick` at the earliest.
    if (this.#places.push([placeText(key, token), ttlOf(ttlMillis), reply]) === 1) process.nextTick(this.#send)
    else if (this.#places.length >= placesAtOnce) this.#send()
  }

  /** The same, begun at once; completes when it is there. A user who may not has none, as for `put`. */
  added(key: string, token: string, ttlMillis: number): Effect.Effect<void, CacheError> {
    const there = Deferred.makeUnsafe<void, CacheError>()
    this.add(key, token, ttlMillis, (error) => {
      Deferred.doneUnsafe(there, error === undefined || isForbidden(error) ? Exit.void : Exit.fail(error))
    })
    return Deferred.await(there)
  }

  readonly #send = (): void => {
    const places = this.#places
    if (places.length === 0) return
    this.#places = []
    const life = places.reduce((longest, [, ttl]) => Math.max(longest, ttl), 0) + Scripts.keptMillis
    const args: Array<Argument> = [this.#index, life]
    for (const [place, ttl] of places) args.push(place, ttl)
    this.#commands.run("intents", Scripts.index, args, (...told) => {
      for (const [, , reply] of places) {
        try {
          reply(...told)
        } catch (error) {
          // Who is told goes on at once, with code that may throw; the others must be told all the same.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    })
  }
}

export const makeIntents = (commands: Commands, names: Names, index: IntentIndex): Intents => {
  const withIndex = (
    script: Script,
    key: string,
    token: string,
    ttlMillis: number,
    args: ReadonlyArray<Argument>
  ): Effect.Effect<boolean, CacheError> => {
    const both = all(2, (i, reply) =>
      i === 0
        ? index.add(key, token, ttlMillis, reply)
        : commands.run("intents", script, [names.intents(key), token, ...args], reply)
    )
    return allowed(
      false,
      Effect.map(both, ([, done]) => isOne(done))
    )
  }

  /** What the index holds and is no place is taken out. */
  const sweepOf =
    (everyMillis: number) =>
    (reply: unknown): { readonly sweep: Sweep; readonly foreign: ReadonlyArray<Argument> } => {
      if (!isTexts(reply)) return { sweep: { found: [], waitMillis: everyMillis }, foreign: [] }
      const [wait, mark = "0", ...places] = reply
      const found: Array<IndexedIntent> = []
      const foreign: Array<Argument> = []
      for (const text of places) {
        const place = parsePlace(text)
        // Written in another way it would be forgotten under another name.
        if (place === undefined || placeText(...place) !== text) foreign.push(mark, text)
        else found.push({ key: place[0], token: place[1], mark })
      }
      const waitMillis = Math.min(Math.max(Number(wait) / 1000 || 0, 0), everyMillis)
      return { sweep: { found, waitMillis }, foreign }
    }

  const forgetAll = (args: ReadonlyArray<Argument>) =>
    args.length === 0 ? Effect.void : commands.script("intents", Scripts.forget, [names.index, ...args], noop)

  return {
    put: (key, token, intent, ttlMillis) =>
      Effect.suspend(() => withIndex(Scripts.put, key, token, ttlMillis, putArgs(intent, ttlMillis))),

    renew: (key, token, ttlMillis) =>
      Effect.suspend(() => {
        const ttl = ttlOf(ttlMillis)
        return withIndex(Scripts.renew, key, token, ttlMillis, [ttl, ttl + Scripts.keptMillis])
      }),

    drop: (places) =>
      Effect.suspend(() => {
        if (places.length === 0) return Effect.void
        const indexed = [names.index, ...places.map(({ key, token }) => placeText(key, token))]
        const dropped = all(1 + places.length, (i, reply) => {
          if (i === 0) return commands.command(names.index, "intents", "zrem", indexed, reply)
          const { key, token } = places[i - 1]!
          const name = names.intents(key)
          commands.command(name, "intents", "hdel", [name, token], reply)
        })
        return Effect.asVoid(allowed<unknown>(undefined, dropped))
      }),

    ended: (key) => {
      const args = [names.intents(key), micros(Scripts.maxTtlMillis), maxText + maxEnd, maxEnded]
      return allowed([], commands.script("intents", Scripts.ended, args, endedOf(key)))
    },

    settle: ({ key, text, token }) =>
      allowed(false, commands.script("intents", Scripts.settle, [names.intents(key), token, text], isOne)),

    sweep: (everyMillis, limit) => {
      const args = [names.index, micros(everyMillis), limit, Scripts.keptMillis]
      const sweep = Effect.flatMap(
        commands.script("intents", Scripts.sweep, args, sweepOf(everyMillis)),
        ({ foreign, sweep }) => Effect.as(forgetAll(foreign), sweep)
      )
      return allowed({ found: [], waitMillis: everyMillis }, sweep)
    },

    forget: (found) => {
      const present = all(found.length, (i, reply) => {
        const { key, token } = found[i]!
        commands.run("intents", Scripts.present, [names.intents(key), token], reply)
      })
      return allowed(
        undefined,
        Effect.flatMap(present, (there) =>
          forgetAll(found.flatMap(({ key, mark, token }, i) => (isOne(there[i]) ? [] : [mark, placeText(key, token)])))
        )
      )
    }
  }
}
