/**
 * Attacks on cached responses by raw requests, from many clients at once, some of whom hang up, while the site changes: alone, behind
 * nginx, and behind undici's cache, on memory and on Redis. Each answer is that of the same site without a cache (`attack.ts`).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { makeBackends } from "../support/backends.ts"
import { type Dice, diceOf } from "../support/dice.ts"
import { type Front, listen, type Way, wayThrough } from "../support/fronts.ts"
import type { RawAnswer, RawRequest } from "../support/rawHttp.ts"
import { type Attack, change, complaint, routesOf } from "./httpAttack/attack.ts"
import { identityAttacks } from "./httpAttack/identity.ts"
import { messageAttacks } from "./httpAttack/message.ts"

const backends = makeBackends()

const rounds = 2
const atOnce = 8

const shuffled = (dice: Dice, requests: ReadonlyArray<RawRequest>): ReadonlyArray<RawRequest> => {
  const left = [...requests]
  return requests.map(() => left.splice(dice.below(left.length), 1)[0]!)
}

/** Now and then with the entity tag of an answer that somebody else may have got. */
const withStolenTag = (dice: Dice, request: RawRequest, tags: ReadonlyArray<string>): RawRequest =>
  tags.length > 0 && request.method === undefined && dice.chance(0.2)
    ? { ...request, headers: [...(request.headers ?? []), ["If-None-Match", dice.pick(tags)]] }
    : request

/** All requests, one after the other and many at once, before and after changes. What is wrong with the answers. */
const run = ({ requests, sessions }: Attack, way: Way, plain: Way, dice: Dice) =>
  Effect.gen(function*() {
    const wrong = new Set<string>()
    const cookies: Array<string> = []
    const tags: Array<string> = []
    let answers = 0
    for (let round = 0; round < rounds; round++) {
      const right = new Map<RawRequest, RawAnswer>()
      for (const request of requests) right.set(request, yield* plain.ask(request))
      const check = Effect.fnUntraced(function*(request: RawRequest) {
        if (dice.chance(0.1)) yield* way.leave(request)
        const sent = withStolenTag(dice, request, tags)
        const answer = yield* way.ask(sent)
        answers++
        const problem = complaint(sent, answer, right.get(request)!)
        if (problem !== undefined) wrong.add(`${JSON.stringify(sent).slice(0, 300)}: ${problem.slice(0, 300)}`)
        if (answer.headers["etag"] !== undefined) tags.push(answer.headers["etag"])
        if (answer.headers["set-cookie"] !== undefined) cookies.push(answer.headers["set-cookie"])
      })
      for (const request of [...requests, ...requests]) yield* check(request)
      yield* Effect.forEach(shuffled(dice, [...requests, ...requests]), check, { concurrency: atOnce, discard: true })
      for (const each of [way, plain]) assert.strictEqual((yield* each.ask(change)).status, 204)
    }
    if (sessions === true && new Set(cookies).size !== answers) wrong.add("two clients have one session")
    return [...wrong]
  })

const fronts: ReadonlyArray<Front> = ["alone", "nginx", "undici"]

describe.each(fronts)("attacks on cachedResponse: %s", (front) => {
  describe.each(["memory", "Redis"] as const)("%s", (backend) => {
    for (const attack of [...identityAttacks, ...messageAttacks]) {
      it.live(attack.name, () =>
        Effect.gen(function*() {
          const cache = yield* Layer.build(Layer.fresh(backends[backend]()))
          const attacked = yield* Effect.exit(listen(routesOf(attack, true), cache))
          if (Exit.isFailure(attacked) && attack.mayBeRefused === true) return
          const way = yield* wayThrough(front, yield* attacked, true)
          const plain = yield* wayThrough(front, yield* listen(routesOf(attack, false), cache), false)
          assert.deepStrictEqual(yield* run(attack, way, plain, diceOf(1)), [])
        }).pipe(Effect.scoped)
      )
    }
  })
})
