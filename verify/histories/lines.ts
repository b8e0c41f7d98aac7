/**
 * Lines that processes write down and others read, also of a process that was killed.
 */
import * as fs from "node:fs"

const flushMillis = 5
const flushLines = 500

export interface LineWriter {
  readonly add: (line: string) => void
  readonly flush: () => void
}

/** Writes lines to a file, every few milliseconds. What is written survives the process, which may be killed at any moment. */
export const makeLineWriter = (file: string): LineWriter => {
  const fd = fs.openSync(file, "a")
  let lines: Array<string> = []
  const flush = () => {
    if (lines.length === 0) return
    const text = lines.join("\n") + "\n"
    lines = []
    fs.writeSync(fd, text)
  }
  setInterval(flush, flushMillis).unref()
  return {
    add: (line) => {
      if (lines.push(line) >= flushLines) flush()
    },
    flush
  }
}

/** The lines of a file. One without its end is left out. */
export function* readLines(file: string): Generator<string> {
  const fd = fs.openSync(file, "r")
  try {
    const chunk = Buffer.alloc(1 << 20)
    let rest = ""
    for (let size = fs.readSync(fd, chunk); size > 0; size = fs.readSync(fd, chunk)) {
      const lines = (rest + chunk.toString("latin1", 0, size)).split("\n")
      rest = lines.pop()!
      yield* lines
    }
  } finally {
    fs.closeSync(fd)
  }
}
