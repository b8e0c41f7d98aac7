const kept: Array<unknown> = []

/**
 * Keeps one instance of a class alive, for ever. A major collection that finds none drops the hidden class, and with it the
 * compiled code of every function that handles such objects: for tens of thousands of calls they are several times slower.
 * For short-lived objects of the hot paths, which may all be dead at that moment.
 */
export const keepOne = (instance: object): void => {
  kept.push(instance)
}
