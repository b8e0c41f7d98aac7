/** The answer depends on a condition or a range that the request has. */
const partial = new Set([206, 304, 412, 416])

/** Whether a status may be in `statuses`: a final one, whose response is for whoever asks for the whole. Checked of what is stored, too. */
export const isStorableStatus = (status: number): boolean =>
  Number.isInteger(status) && status >= 200 && status <= 599 && !partial.has(status)

/** Whether a response with this status has no body, whatever is stored. */
export const isBodiless = (status: number): boolean => status === 204 || status === 205
