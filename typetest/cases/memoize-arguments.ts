/** By name, the key is made of the arguments that a function declares: what is not declared does not count. */
import { Effect } from "effect"
import { memoize } from "../../src/index.ts"

const one = (id: string) => Effect.succeed(`v${id}`)
const paged = (id: string, page = 1) => Effect.succeed(`${id}${page}`)

const get = memoize({ name: "m", ttl: "1 minute" })(one)
export const all = [Effect.forEach(["a", "b"], get), Effect.all(["a", "b"].map(get))]

// @ts-expect-error the function has optional arguments: say with arity how many are in the key
export const a = memoize({ name: "d", ttl: "1 minute" })(paged)
export const b = memoize({ name: "d", ttl: "1 minute", arity: 2 })(paged)
// @ts-expect-error the function takes any number of arguments: say with arity how many are in the key
export const c = memoize({ name: "r" })((...ids: ReadonlyArray<string>) => one(ids.join()))
// @ts-expect-error an argument before the last may have a default, where counting ends: say with arity how many are in the key
export const d = memoize({ name: "e" })((id: string | undefined = "a", at: string) => one(id + at))
// @ts-expect-error Parameter 'id' implicitly has an 'any' type
export const e = memoize({ name: "u" })((id) => one(id))
// @ts-expect-error the function returns no Effect: use Effect.sync around what it does, or Effect.succeed
export const f = memoize({ name: "p" })((id: string) => `v${id}`)

/**
 * A rest of fixed length is to the compiler what two arguments are, and `length` does not count it. So nothing can tell who forgets
 * `arity` here; without it the key of `g` would be made of the first argument alone.
 */
const rest = (id: string, ...[page, size]: [page: number, size: number]) => one(`${id}${page}${size}`)
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
export const same: Same<typeof rest, (id: string, page: number, size: number) => ReturnType<typeof one>> = true
export const g = memoize({ name: "g", arity: 3 })(rest)
