/**
 * Which cookies of a request count: those that a policy names, and those it says make no difference.
 */
import type { Policy } from "./options.ts"

/** The name of a `name=value` as effect reads it; `undefined` for what is none. */
const nameOf = (piece: string): string | undefined => {
  const at = piece.indexOf("=")
  return at === -1 ? undefined : piece.slice(0, at).trim()
}

/** Whether the policy says of every cookie that it makes no difference. What is no cookie may make one. */
export const allIgnored = (header: string, { ignoreCookies }: Policy): boolean =>
  ignoreCookies === true ||
  (ignoreCookies !== undefined &&
    header.split(";").every((piece) => {
      const name = nameOf(piece)
      return name === undefined ? piece.trim() === "" : ignoreCookies.has(name)
    }))

/**
 * The `Cookie` header without what is not in the key. A load sees no other: what it makes of a cookie that the key does
 * not hold would be shown to all.
 */
export const countedCookies = (header: string | undefined, policy: Policy): string | undefined => {
  if (header === undefined) return undefined
  const { allowsEveryCookie, ignoreCookies, secretCookies } = policy
  if (allowsEveryCookie && ignoreCookies === undefined) return header
  const kept = header.split(";").filter((piece) => {
    const name = nameOf(piece)
    if (!allowsEveryCookie) return name !== undefined && secretCookies.includes(name)
    return name === undefined || !(ignoreCookies as ReadonlySet<string>).has(name)
  })
  const text = kept
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "")
    .join("; ")
  return text === "" ? undefined : text
}
