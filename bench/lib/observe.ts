/**
 * What a server was asked to do meanwhile: how many commands, and the slowest of them.
 */
import type { RawRedis } from "./resp.ts"

const quiet = /^cmdstat_(info|slowlog|config|client)/

const calls = async (client: RawRedis): Promise<number> => {
  const text: string = await client.send("INFO", "commandstats")
  let sum = 0
  for (const line of text.split("\r\n")) {
    const count = /^(cmdstat_[^:]+):calls=(\d+)/.exec(line)
    if (count !== null && !quiet.test(count[1]!)) sum += Number(count[2])
  }
  return sum
}

export interface Observed {
  readonly millis: number
  readonly commands: number
  /** Of the slowest command, on the server. */
  readonly slowestMillis: number
}

export const observe = async (client: RawRedis, run: () => Promise<unknown>): Promise<Observed> => {
  await client.send("CONFIG", "SET", "slowlog-log-slower-than", "100", "slowlog-max-len", "100000")
  await client.send("SLOWLOG", "RESET")
  const before = await calls(client)
  const startedAt = performance.now()
  await run()
  const millis = performance.now() - startedAt
  const commands = (await calls(client)) - before
  const slow: ReadonlyArray<readonly [number, number, number, ReadonlyArray<string>]> = await client.send(
    "SLOWLOG",
    "GET",
    "-1"
  )
  // Our own CONFIG and INFO are among them.
  const own = /^(config|info|slowlog)$/i
  const slowest = Math.max(0, ...slow.filter(([, , , args]) => !own.test(args[0]!)).map(([, , micros]) => micros))
  return { millis, commands, slowestMillis: slowest / 1e3 }
}

/**
 * Makes many entries of one: whatever keys the entry of id `0` has are copied under other ids by the server itself,
 * which is the only way to a million entries in seconds.
 */
export const multiply = async (client: RawRedis, prefix: string, count: number): Promise<void> => {
  const all: ReadonlyArray<string> = (await client.send("SCAN", "0", "COUNT", "100000"))[1]
  const keys = all.filter((key) => key.startsWith(prefix) && /item:0\}?$/.test(key))
  if (keys.length === 0) throw new Error(`no entry of id 0 among ${all.slice(0, 10).join(" ")}`)
  const script =
    "for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call('COPY', KEYS[1], ARGV[3] .. i .. ARGV[4], 'REPLACE') end"
  for (const key of keys) {
    const at = key.lastIndexOf("0")
    for (let from = 1; from < count; from += 10_000) {
      const to = Math.min(from + 10_000, count) - 1
      await client.send("EVAL", script, "1", key, String(from), String(to), key.slice(0, at), key.slice(at + 1))
    }
  }
}
