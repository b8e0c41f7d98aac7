/**
 * The slot of a key, as a cluster computes it: CRC16 (XMODEM) of its UTF-8, of which the part in the first `{}` counts alone
 * unless it is empty.
 */
import { slotCount } from "./slots.ts"

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

const step = (crc: number, byte: number): number => ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ byte]!

export const calculateSlot = (key: string): number => {
  let from = key.indexOf("{") + 1
  let to = from === 0 ? -1 : key.indexOf("}", from)
  if (to <= from) {
    from = 0
    to = key.length
  }
  let crc = 0
  for (let i = from; i < to; i++) {
    const code = key.charCodeAt(i)
    if (code > 127) return Buffer.from(key.slice(from, to)).reduce(step, 0) % slotCount
    crc = step(crc, code)
  }
  return crc % slotCount
}
