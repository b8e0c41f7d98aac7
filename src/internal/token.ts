/**
 * A source of tokens that name one holder of a lease or lock among all processes. They are not drawn from Effect's Random:
 * two processes that seed it alike would take each other for themselves.
 */
export const makeTokens = (): (() => string) => {
  const source = globalThis.crypto.randomUUID()
  let made = 0
  return () => `${source}-${(made++).toString(36)}`
}
