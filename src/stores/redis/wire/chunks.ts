import type { Command, Redis } from "ioredis"
import { driver } from "../driver.ts"
import type { Job } from "./job.ts"
import type { Argument } from "./wire.ts"

/** Below this, copying costs less than one more piece for the system call. */
const largeBytes = 16_384

/**
 * Gathers what the commands of a flush write, as ioredis' own pipeline does, and writes it at once: text joined to one
 * string costs a fraction of a write for each command.
 */
export class Chunks {
  readonly isPipeline = true
  readonly destination: { readonly redis: Redis }
  private flushed = false
  private text = ""
  private parts: Array<Uint8Array> | undefined

  constructor(redis: Redis) {
    this.destination = { redis }
  }

  write(chunk: string | Uint8Array): void {
    // A client of the user's own may resend a command after a reconnect, through the stream it was sent by.
    if (this.flushed) {
      this.destination.redis.stream.write(chunk)
      return
    }
    if (typeof chunk === "string") {
      this.text += chunk
      return
    }
    this.parts ??= []
    this.endText()
    this.parts.push(chunk)
  }

  flush(): void {
    const { stream } = this.destination.redis
    this.flushed = true
    if (this.parts !== undefined) {
      this.endText()
      // One system call for all of them, and no copy of what is large.
      stream.cork()
      let small: Array<Uint8Array> = []
      const endSmall = () => {
        if (small.length > 0) stream.write(Buffer.concat(small))
        small = []
      }
      for (const part of this.parts) {
        if (part.length < largeBytes) {
          small.push(part)
        } else {
          endSmall()
          stream.write(part)
        }
      }
      endSmall()
      stream.uncork()
    } else if (this.text !== "") {
      stream.write(this.text)
    }
    this.parts = undefined
    this.text = ""
  }

  private endText(): void {
    if (this.text === "") return
    this.parts!.push(Buffer.from(this.text, "utf8"))
    this.text = ""
  }
}

/**
 * Chunks for the first flush of a connection. That a client writes to what says `isPipeline` is no promise of ioredis, and a
 * client that was brought along may be of another version; so it is seen before it is relied on.
 */
class FirstChunks extends Chunks {
  private pieces = 0

  override write(chunk: string | Uint8Array): void {
    this.pieces++
    super.write(chunk)
  }

  /** Whether each of so many commands came here, whole. */
  took(commands: number): boolean {
    return commands > 0 && this.pieces === commands
  }
}

/**
 * What the next flush is gathered in, by what is known of the connection. `undefined`: each command is written by ioredis, at
 * once and one by one.
 */
export const nextChunks = (redis: Redis, gathers: boolean | undefined): Chunks | undefined =>
  gathers === false ? undefined : gathers ? new Chunks(redis) : new FirstChunks(redis)

/** What the first flush shows, before it is written; `known` after any other. */
export const learnt = (
  chunks: Chunks | undefined,
  commands: number,
  known: boolean | undefined
): boolean | undefined =>
  // A socket that has ended takes nothing: that says nothing of the client.
  chunks instanceof FirstChunks && chunks.destination.redis.stream?.writable ? chunks.took(commands) : known

type Parameters = ConstructorParameters<typeof Command>

/** A command that hands a large argument on as it is: ioredis would copy it to put its length before it. */
const largeCommand = (Base: typeof Command) =>
  class LargeCommand extends Base {
    readonly #chunks: Chunks

    constructor(chunks: Chunks, ...command: Parameters) {
      super(...command)
      this.#chunks = chunks
    }

    /** Called right before what it returns is written to the chunks: whatever comes before that goes there at once. */
    override toWritable(): string {
      let text = `*${this.args.length + 1}\r\n$${this.name.length}\r\n${this.name}\r\n`
      for (const arg of this.args) {
        const bytes = Buffer.isBuffer(arg)
        const piece = bytes ? arg : String(arg)
        text += `$${Buffer.byteLength(piece)}\r\n`
        if (bytes) {
          this.#chunks.write(text)
          this.#chunks.write(arg)
          text = "\r\n"
        } else text += `${piece}\r\n`
      }
      return text
    }
  }

let LargeCommand: ReturnType<typeof largeCommand> | undefined

/** Whether one of the arguments is worth a `LargeCommand`. */
const hasLarge = (args: ReadonlyArray<unknown>): boolean =>
  args.some((arg) => Buffer.isBuffer(arg) && arg.length >= largeBytes)

/** What ioredis sends for a job. `chunks` are what it will be written to, if that is known. */
export const makeCommand = (
  chunks: Chunks | undefined,
  { args, encoding, name }: Job,
  onReply: (error: Error | null | undefined, reply: unknown) => void
): Command => {
  const { Command } = driver()
  const made = args as Array<Argument>
  const options = { replyEncoding: encoding }
  if (chunks === undefined || !hasLarge(args)) return new Command(name, made, options, onReply)
  LargeCommand ??= largeCommand(Command)
  return new LargeCommand(chunks, name, made, options, onReply)
}
