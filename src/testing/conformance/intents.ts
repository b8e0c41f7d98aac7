/**
 * What a backend that keeps intents must do with them. One that keeps none passes.
 */
import { Effect, type Scope } from "effect"
import type { EndedIntent, Give, Intent, Intents } from "../../services/CacheBackend.ts"
import type { Backend } from "./backendCase.ts"
import type { ConformanceStore, Script } from "./case.ts"
import { expect } from "./expect.ts"
import { hostile, plant, write } from "./values.ts"

const long = 10_000
/** It has ended after `pause`. */
const short = 50
const pause = 150

const some: Intent = { keys: ["list:1"], patterns: ["list:*"], tags: ["rows"] }
const other: Intent = { keys: [], patterns: [], tags: ["other"] }

const intentsCase = (
  name: string,
  body: (intents: Intents, store: ConformanceStore, backend: Backend) => Effect.Effect<void, unknown, Scope.Scope>
): Script => ({
  group: "intents",
  name,
  body: ({ connect, store }) =>
    Effect.flatMap(connect(""), ({ backend }) =>
      backend.intents === undefined ? Effect.void : body(backend.intents, store, backend)
    )
})

const byToken = (all: ReadonlyArray<EndedIntent>) =>
  Object.fromEntries(all.map(({ intent, token }) => [token, intent] as const))

/** Whether a load that is stored under this key is told of intents. */
const isIntended = (backend: Backend, key: string) =>
  Effect.gen(function*() {
    let told = false
    yield* backend.acquire(key, "asks", long)
    const filled = yield* backend.fill(key, "asks", write(backend, 1), "keep", () => {
      told = true
    })
    expect("the fill of who asks", filled).is(true)
    return told
  })

export const intentCases: ReadonlyArray<Script> = [
  intentsCase(
    "one that is put down is there, and ends by itself",
    Effect.fnUntraced(function*(intents, { advance }, backend) {
      expect("told before", yield* isIntended(backend, "k")).is(false)
      expect("what has ended before", yield* intents.ended("k")).is([])
      yield* intents.put("k", "w:1", some, short)
      yield* intents.put("k", "w:2", other, long)
      expect("told", yield* isIntended(backend, "k")).is(true)
      expect("told beside another key", yield* isIntended(backend, "k2")).is(false)
      yield* advance(pause)
      expect("what has ended", byToken(yield* intents.ended("k"))).is({ "w:1": some })
      expect("what has ended, asked again", byToken(yield* intents.ended("k"))).is({ "w:1": some })
      expect("told after the end", yield* isIntended(backend, "k")).is(true)
    })
  ),

  intentsCase(
    "a take-over that says that it has put one down has",
    Effect.fnUntraced(function*(intents, { advance }, backend) {
      const take = (key: string, token: string, ttlMillis: number, give?: Give) =>
        Effect.gen(function*() {
          const taken = yield* backend.takeOver(key, token, ttlMillis, "write", give, some)
          expect("the holder", taken.holder).is(token)
          yield* taken.intended ?? Effect.void
          return { intended: taken.intended !== undefined, unlinked: taken.unlinked }
        })
      yield* backend.acquire("k", "fills", long)
      yield* backend.fill("k", "fills", write(backend, 1), "keep")
      const first = yield* take("k", "w:1", short, "header")
      expect("something was unlinked", first.unlinked !== undefined).is(true)
      expect("the entry", yield* backend.read("k")).is(undefined)
      // Beside another write, too, and without an entry.
      const second = yield* take("k", "w:2", long)
      const third = yield* take("k", "w:3", short, "entry")
      expect("what was unlinked of no entry", [second.unlinked, third.unlinked]).is([undefined, undefined])
      yield* advance(pause)
      const down = Object.entries({ "w:1": first, "w:3": third }).filter(([, { intended }]) => intended)
      expect("what has ended", byToken(yield* intents.ended("k"))).is(
        Object.fromEntries(down.map(([token]) => [token, some] as const))
      )
      expect("the renewal of the one that has not", yield* intents.renew("k", "w:2", long)).is(second.intended)
      const { found } = yield* intents.sweep(long, 10)
      expect("what the index has", found.map(({ token }) => token).sort()).is(down.map(([token]) => token))
      // Of others nothing is put down.
      yield* backend.takeOver("l", "w:1", short, "set", undefined, some)
      yield* backend.takeOver("m", "w:1", short, "refresh", undefined, some)
      yield* advance(pause)
      expect("of a set and a refresh", [yield* intents.ended("l"), yield* intents.ended("m")]).is([[], []])
    })
  ),

  intentsCase(
    "put again replaces what the token had put, and leaves what others have",
    Effect.fnUntraced(function*(intents, { advance }) {
      yield* intents.put("k", "w:1", some, long)
      yield* intents.put("k", "w:2", some, short)
      yield* intents.put("k", "w:1", other, short)
      yield* advance(pause)
      expect("what has ended", byToken(yield* intents.ended("k"))).is({ "w:1": other, "w:2": some })
    })
  ),

  intentsCase(
    "a renewal moves the end, also one that has passed",
    Effect.fnUntraced(function*(intents, { advance }) {
      expect("the renewal of what is not there", yield* intents.renew("k", "w:1", long)).is(false)
      yield* intents.put("k", "w:1", some, short)
      expect("the renewal of another's", yield* intents.renew("k", "w:2", long)).is(false)
      expect("the renewal", yield* intents.renew("k", "w:1", long)).is(true)
      yield* intents.put("k", "w:2", other, short)
      yield* advance(pause)
      expect("what has ended", byToken(yield* intents.ended("k"))).is({ "w:2": other })
      expect("the renewal of what has ended", yield* intents.renew("k", "w:2", long)).is(true)
      expect("what has ended after it", yield* intents.ended("k")).is([])
      yield* intents.renew("k", "w:1", short)
      yield* advance(pause)
      expect("what has ended when it was renewed for less", byToken(yield* intents.ended("k"))).is({ "w:1": some })
    })
  ),

  intentsCase(
    "its writer takes its own out, and nobody else's",
    Effect.fnUntraced(function*(intents, _, backend) {
      yield* intents.drop([])
      yield* intents.drop([{ key: "k", token: "w:1" }])
      yield* intents.put("k", "w:1", some, long)
      yield* intents.put("k", "w:2", some, long)
      yield* intents.drop([{ key: "k", token: "w:1" }])
      expect("the renewal of what was dropped", yield* intents.renew("k", "w:1", long)).is(false)
      expect("told with another", yield* isIntended(backend, "k")).is(true)
      yield* intents.drop([{ key: "k", token: "w:2" }])
      expect("told with none", yield* isIntended(backend, "k")).is(false)
    })
  ),

  intentsCase(
    "what was carried out is settled only if it still says the same",
    Effect.fnUntraced(function*(intents, { advance }) {
      yield* intents.put("k", "w:1", some, short)
      yield* intents.put("k", "w:2", some, short)
      yield* intents.put("k", "w:3", some, short)
      yield* advance(pause)
      const ended = yield* intents.ended("k")
      const of = (token: string) => ended.find((one) => one.token === token)!
      expect("the tokens", ended.map(({ token }) => token).sort()).is(["w:1", "w:2", "w:3"])
      yield* intents.renew("k", "w:1", short)
      yield* intents.put("k", "w:2", some, short)
      expect("settled after a renewal", yield* intents.settle(of("w:1"))).is(false)
      expect("settled after it was put again", yield* intents.settle(of("w:2"))).is(false)
      expect("settled", yield* intents.settle(of("w:3"))).is(true)
      expect("settled twice", yield* intents.settle(of("w:3"))).is(false)
      yield* advance(pause)
      expect("what has ended then", byToken(yield* intents.ended("k"))).is({ "w:1": some, "w:2": some })
    })
  ),

  intentsCase(
    "no invalidation takes it away, nor does anything else that is done to the key",
    Effect.fnUntraced(function*(intents, { advance }, backend) {
      yield* intents.put("k", "w:1", some, short)
      yield* backend.takeOver("k", "w:2", long, "write")
      yield* backend.release("k", "w:2", "unlink")
      yield* plant(backend, "k", write(backend, 1))
      yield* backend.remove(["k"])
      yield* backend.removeMatching("*")
      yield* backend.clear
      yield* advance(pause)
      expect("what has ended", byToken(yield* intents.ended("k"))).is({ "w:1": some })
      const { found } = yield* intents.sweep(long, 10)
      expect(
        "what a sweep finds",
        found.map(({ token }) => token)
      ).is(["w:1"])
    })
  ),

  intentsCase(
    "a sweep finds what has ended, each once, and is the only one for a while",
    Effect.fnUntraced(function*(intents, { advance }) {
      const none = yield* intents.sweep(long, 10)
      expect("what is found where there is nothing", none.found).is([])
      yield* intents.put("k", "w:1", some, short)
      yield* intents.put("k", "w:2", some, short)
      yield* intents.put("l", "w:3", some, short)
      yield* intents.put("m", "w:4", some, long)
      yield* intents.put("n", "w:5", some, short)
      yield* intents.renew("n", "w:5", long)
      yield* intents.put("o", "w:6", some, short)
      yield* intents.drop([{ key: "o", token: "w:6" }])
      yield* advance(pause)
      const first = yield* intents.sweep(long, 10)
      expect("what is found", first.found.map(({ key, token }) => [key, token].join()).sort()).is([
        "k,w:1",
        "k,w:2",
        "l,w:3"
      ])
      expect("a wait until the next turn", first.waitMillis > long / 2 && first.waitMillis <= long).is(true)
      yield* intents.put("p", "w:7", some, short)
      yield* advance(pause)
      const second = yield* intents.sweep(long, 10)
      expect("what another finds within the turn", second.found).is([])
      expect("a wait of no more than a turn", second.waitMillis > 0 && second.waitMillis <= long).is(true)
      yield* intents.sweep(short, 10)
      yield* advance(pause)
      const next = yield* intents.sweep(short, 10)
      expect(
        "what is found in a turn of its own",
        next.found.map(({ token }) => token)
      ).is(["w:7"])
    })
  ),

  intentsCase(
    "a sweep that leaves some leaves the turn to whoever comes next",
    Effect.fnUntraced(function*(intents, { advance }) {
      const tokens = ["w:1", "w:2", "w:3", "w:4", "w:5"]
      for (const token of tokens) yield* intents.put(token, token, some, short)
      yield* advance(pause)
      const found: Array<string> = []
      for (const [wait, count] of [
        [0, 2],
        [0, 2],
        [long, 1]
      ] as const) {
        const swept = yield* intents.sweep(long, 2)
        expect("how many are found", swept.found.length).is(count)
        if (wait === 0) expect("the wait where there is more", swept.waitMillis).is(0)
        found.push(...swept.found.map(({ token }) => token))
      }
      expect("all that were found", found.sort()).is(tokens)
      expect("what is found then", (yield* intents.sweep(long, 2)).found).is([])
    })
  ),

  intentsCase(
    "what a sweep found and did not settle is found again a turn later, and what is forgotten is not",
    Effect.fnUntraced(function*(intents, { advance }) {
      const tokens = ["w:1", "w:2", "w:3", "w:4"]
      for (const token of tokens) yield* intents.put("k", token, some, short)
      yield* advance(pause)
      const { found } = yield* intents.sweep(short, 10)
      expect("what is found", found.map(({ token }) => token).sort()).is(tokens)
      const ended = yield* intents.ended("k")
      for (const one of ended) if (one.token !== "w:1") yield* intents.settle(one)
      // Its writer was only slow, and puts it down anew.
      yield* intents.put("k", "w:2", some, short)
      yield* intents.forget(found)
      yield* advance(pause)
      const again = yield* intents.sweep(short, 10)
      expect("what is found again", again.found.map(({ token }) => token).sort()).is(["w:1", "w:2"])
      expect(
        "a mark of its own",
        again.found.every(({ mark }) => !found.some((one) => one.mark === mark))
      ).is(true)
    })
  ),

  intentsCase(
    "every string is a key, and is told as it is",
    Effect.fnUntraced(function*(intents, { advance }) {
      const all: Intent = { keys: hostile, patterns: hostile, tags: hostile }
      for (const key of hostile) yield* intents.put(key, "w:1", { ...all, keys: [key] }, short)
      yield* advance(pause)
      const { found } = yield* intents.sweep(long, 1_000)
      expect("the keys of the index", found.map(({ key }) => key).sort()).is([...hostile].sort())
      for (const key of hostile) {
        const [ended, ...others] = yield* intents.ended(key)
        expect("what has ended", [ended?.key, ended?.intent, others]).is([key, { ...all, keys: [key] }, []])
        expect("settled", yield* intents.settle(ended!)).is(true)
      }
      yield* intents.forget(found)
    })
  )
]
