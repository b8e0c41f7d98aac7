/**
 * ioredis 5, which most applications still have, without and with "Autopipelining" of its README.
 */
import { Redis } from "ioredis"
import { overIoredis } from "../lib/driver.ts"

export const redis = {
  "ioredis 5": overIoredis(Redis, false),
  "ioredis 5, auto-pipelining": overIoredis(Redis, true)
}
