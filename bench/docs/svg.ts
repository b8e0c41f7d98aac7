/**
 * Charts as SVG, readable on light and on dark pages. No dependency: bars, lines and text are enough.
 */
const style = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.dim{fill:#59636e}.grid{stroke:#d1d9e0}.bar{fill:#9aa6b2}.floor{fill:#c8d1da}.ours{fill:#0969da}
.spread{stroke:#1f2328}.l0{stroke:#0969da}.l1{stroke:#9a6700}.l2{stroke:#1a7f37}.l3{stroke:#8250df}
.d0{fill:#0969da}.d1{fill:#9a6700}.d2{fill:#1a7f37}.d3{fill:#8250df}
.line{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#3d444d}.bar{fill:#656c76}
.floor{fill:#3d444d}.ours{fill:#4493f8}.spread{stroke:#e6edf3}.l0{stroke:#4493f8}.l1{stroke:#d29922}
.l2{stroke:#3fb950}.l3{stroke:#ab7df8}.d0{fill:#4493f8}.d1{fill:#d29922}.d2{fill:#3fb950}.d3{fill:#ab7df8}}
</style>`

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** One digit after the point: no eye sees more, and the files stay the same. */
const px = (value: number): string => String(Math.round(value * 10) / 10)

const document = (width: number, height: number, title: string, body: ReadonlyArray<string>): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    style,
    ...body,
    "</svg>",
    ""
  ].join("\n")

export interface Bar {
  readonly label: string
  readonly value: number
  /** The middle half of the rounds. */
  readonly from: number
  readonly to: number
  readonly text: string
  readonly kind: "ours" | "floor" | "peer"
}

/** Horizontal bars, from zero; what would leave the others no room is cut, and says so. */
export const bars = (title: string, items: ReadonlyArray<Bar>): string => {
  const left = 220
  const room = 420
  const row = 22
  const width = left + room + 110
  const height = 30 + items.length * row + 6
  const sorted = items.map(({ value }) => value).sort((a, b) => a - b)
  const ours = Math.max(0, ...items.filter(({ kind }) => kind === "ours").map(({ value }) => value))
  // The scale ends where most of them end, but never before ours.
  const end = Math.max(ours * 1.2, Math.min(sorted.at(-1)!, sorted[Math.floor(sorted.length / 2)]! * 6)) || 1
  const scale = (value: number) => (Math.min(value, end) / end) * room
  const body = [`<text x="0" y="16">${escapeXml(title)}</text>`]
  items.forEach(({ from, kind, label, text, to, value }, i) => {
    const y = 30 + i * row
    const cut = value > end
    const name = kind === "peer" ? "bar" : kind
    body.push(
      `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect class="${name}" x="${left}" y="${y + 3}" width="${px(Math.max(1, scale(value)))}" height="${row - 7}" rx="2"/>`
    )
    if (!cut && to > from) {
      const middle = y + 3 + (row - 7) / 2
      body.push(
        `<line class="spread" x1="${px(left + scale(from))}" x2="${px(left + scale(to))}" y1="${middle}" y2="${middle}"/>`
      )
    }
    const tail = cut ? " →" : ""
    body.push(
      `<text class="dim" x="${px(left + Math.max(scale(value), cut ? 0 : scale(to)) + 6)}" y="${y + 14}">${escapeXml(text + tail)}</text>`
    )
  })
  return document(width, height, title, body)
}

export interface Line {
  readonly label: string
  readonly points: ReadonlyArray<{ readonly x: number; readonly y: number }>
}

const powers = (from: number, to: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) found.push(10 ** power)
  return found
}

/** Lines on logarithmic scales, where a law is a slope. A point at 0 stands at the left edge. */
export const lines = (title: string, xLabel: string, yLabel: string, all: ReadonlyArray<Line>): string => {
  const left = 70
  const top = 34
  const wide = 480
  const high = 220
  const points = all.flatMap(({ points }) => points)
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b)
  const smallest = xs.find((x) => x > 0) ?? 1
  const placed = (x: number) => Math.log10(x > 0 ? x : smallest / 2)
  const ticks = powers(Math.min(...points.map(({ y }) => y)), Math.max(...points.map(({ y }) => y)))
  const low = Math.log10(ticks[0]!)
  const span = Math.log10(ticks.at(-1)!) - low || 1
  const first = placed(xs[0]!)
  const reach = placed(xs.at(-1)!) - first || 1
  const atX = (x: number) => left + ((placed(x) - first) / reach) * wide
  const atY = (y: number) => top + high - ((Math.log10(y) - low) / span) * high
  const body = [`<text x="0" y="16">${escapeXml(title)}</text>`]
  for (const tick of ticks) {
    body.push(
      `<line class="grid" x1="${left}" x2="${left + wide}" y1="${px(atY(tick))}" y2="${px(atY(tick))}"/>`,
      `<text class="dim" x="${left - 6}" y="${px(atY(tick) + 4)}" text-anchor="end">${tick.toLocaleString("en", { maximumFractionDigits: 6 })}</text>`
    )
  }
  for (const x of xs) {
    body.push(`<text class="dim" x="${px(atX(x))}" y="${top + high + 18}" text-anchor="middle">${short(x)}</text>`)
  }
  body.push(
    `<text class="dim" x="${left + wide / 2}" y="${top + high + 36}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<text class="dim" x="${left}" y="${top - 6}">${escapeXml(yLabel)}</text>`
  )
  all.forEach(({ label, points }, i) => {
    const color = i % 4
    const path = points.map(({ x, y }) => `${px(atX(x))},${px(atY(y))}`).join(" ")
    body.push(`<polyline class="line l${color}" points="${path}"/>`)
    for (const { x, y } of points) body.push(`<circle class="d${color}" cx="${px(atX(x))}" cy="${px(atY(y))}" r="3"/>`)
    const y = top + 12 + i * 20
    body.push(
      `<rect class="d${color}" x="${left + wide + 14}" y="${y - 9}" width="10" height="10" rx="2"/>`,
      `<text x="${left + wide + 30}" y="${y}">${escapeXml(label)}</text>`
    )
  })
  return document(left + wide + 220, top + high + 44, title, body)
}

/** 1000 is 1k, so that ticks have room. */
const short = (x: number): string => (x >= 1e6 ? `${x / 1e6}M` : x >= 1e3 ? `${x / 1e3}k` : String(x))
