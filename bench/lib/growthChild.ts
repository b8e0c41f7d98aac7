/**
 * One of several processes that read from one Redis: told a number, it reads so often, 64 callers at a time.
 */
import { drive, inOrder } from "./drive.ts"
import { checkHits, filledReader } from "./readers.ts"
import { zipf } from "./zipf.ts"

const { keys, subject, url }: { keys: number; subject: string; url: string } = JSON.parse(process.argv[2]!)
const send = (error?: unknown) => process.send!(error === undefined ? {} : { error: String(error) })

process.on("disconnect", () => process.exit())
try {
  const filled = await filledReader({ store: "redis", subject, keys, bytes: 150, tags: 0, url })
  await checkHits(subject, filled)
  const run = drive(
    filled.reader,
    inOrder(filled.ids, zipf({ keys, exponent: 0.99, draws: 65_536, seed: process.pid })),
    64
  )
  process.on("message", (count: number) => {
    run(count).then(() => send(), send)
  })
  send()
} catch (error) {
  send(error)
}
