/**
 * redis-benchmark, the server's own: what a client in C gets, with as many commands in a pipeline as others have in flight.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { loader } from "../lib/items.ts"
import { RawRedis } from "../lib/resp.ts"
import type { Runner } from "../lib/workload.ts"

export const redisBenchmark = async (options: {
  readonly url: string
  readonly keys: number
  readonly bytes: number
  readonly inFlight: number
}): Promise<Runner> => {
  const { bytes, inFlight, keys, url } = options
  const client = await RawRedis.connect(url)
  const { load } = loader(bytes)
  // It writes its random numbers with twelve digits.
  for (let i = 0; i < keys; i++) {
    void client.send("SET", `benchmark:${String(i).padStart(12, "0")}`, JSON.stringify(load(String(i))))
  }
  await client.send("PING")
  await client.close()
  const count = inFlight === 1 ? 2_000 : 50_000
  const { port } = new URL(url)
  const args = `-p ${port} -c 1 -P ${inFlight} -n ${count} -r ${keys} --csv GET benchmark:__rand_int__`.split(" ")
  return {
    kind: "sample",
    sample: async () => {
      const { stdout } = await promisify(execFile)("redis-benchmark", args)
      // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms",...
      const row = stdout
        .trim()
        .split("\n")
        .at(-1)!
        .split(",")
        .map((cell) => Number(cell.replaceAll('"', "")))
      return { value: inFlight === 1 ? row[4]! * 1e3 : 1e6 / row[1]! }
    }
  }
}
