/**
 * The driver that the library uses, alone, without and with "Autopipelining" of its README.
 */
import { Redis } from "ioredis"
import { overIoredis } from "../lib/driver.ts"

export const redis = {
  "ioredis 6": overIoredis(Redis, false),
  "ioredis 6, auto-pipelining": overIoredis(Redis, true)
}
