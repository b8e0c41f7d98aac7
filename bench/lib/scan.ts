/**
 * Deletes by pattern, by hand: one pass, with the next SCAN on its way while the keys of the last are unlinked.
 */
export const scanAndUnlink = async (
  send: (...args: ReadonlyArray<string>) => Promise<any>,
  pattern: string
): Promise<void> => {
  const unlinked: Array<Promise<unknown>> = []
  const scan = (cursor: string) => send("SCAN", cursor, "MATCH", pattern, "COUNT", "1000")
  for (let pending = scan("0"); ; ) {
    const [cursor, keys]: [string, ReadonlyArray<string>] = await pending
    if (cursor !== "0") pending = scan(cursor)
    if (keys.length > 0) unlinked.push(send("UNLINK", ...keys))
    if (cursor === "0") break
  }
  await Promise.all(unlinked)
}
