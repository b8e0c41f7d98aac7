/**
 * Sends a `PING` on a connection whenever nothing was sent on it for so long. Servers, proxies and load balancers close what
 * is idle, and some say nothing: the next command then waits for its deadline.
 */
export class Pings {
  private readonly millis: number | undefined
  private readonly usedAt: () => number
  private readonly ping: () => void
  private pingedAt = 0
  private timer: NodeJS.Timeout | undefined

  /** `millis`: `undefined` for none. `usedAt`: when something else was last sent, on the monotonic clock. */
  constructor(millis: number | undefined, usedAt: () => number, ping: () => void) {
    this.millis = millis
    this.usedAt = usedAt
    this.ping = ping
  }

  start(): void {
    this.stop()
    if (this.millis === undefined) return
    this.pingedAt = performance.now()
    this.lookIn(this.millis)
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private lookIn(millis: number): void {
    this.timer = setTimeout(this.look, Math.ceil(millis)).unref()
  }

  private readonly look = (): void => {
    const { millis } = this
    if (millis === undefined) return
    const now = performance.now()
    const left = Math.max(this.pingedAt, this.usedAt()) + millis - now
    if (left > 0) return this.lookIn(left)
    this.pingedAt = now
    this.lookIn(millis)
    this.ping()
  }
}
