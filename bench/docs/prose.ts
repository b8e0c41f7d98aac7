/**
 * The parts of docs/benchmarks.md that no figure is in.
 */
export const opening = `# Benchmarks

<!-- Made by \`npm run bench:docs\` from bench/results/full.json. Do not edit. -->

Ratios of effect-cache to floors, which nothing can be much faster than, and to other caches, measured side by side. To run them
again: \`npm run bench\` (the short set, a few minutes) or \`npm run bench -- --full\`; \`npm run bench -- --help\` for the rest.
`

export const method = `## How it is measured

- **Ratios.** Every figure is also given as a ratio to the floor of its group. The ratio is taken within each round, and the
  median of these ratios is shown: what slows a whole round slows both.
  They are ratios of time: 2 x takes twice as long, 0.5 x is twice as fast.
- **Rounds by turns.** The cases of a group take turns, round by round, and another one begins in each round. A slow moment of
  the machine hits all of them.
- **A process each.** Every subject is measured in a process of its own, which sleeps while others are measured. No library's
  garbage, compiled code or timers are in another's way. Before each turn, its young garbage is collected.
- **Blocks.** A turn is a few blocks of calls, timed by [tinybench](https://github.com/tinylibs/tinybench), after two that
  do not count. Blocks are sized so that a clock can measure them.
- **Clocks.** What never waits is measured in CPU time of its process; what talks to Redis, in wall time. With one call in
  flight, single calls are timed and their median is taken.
- **Checked.** Before anything is measured, each subject must give the right values and must not call the loader on a hit. A
  subject that does not fails the run.
- **Same work.** All cache the same items, asked for by the same seeded sequence of keys. Each peer is set up as its own
  documentation recommends; \`bench/peers\` has a file for each, which names the section. Where a setting helps a peer, such as
  auto-pipelining, it is on.

What not to conclude:

- Absolute times are of one machine, with Redis beside it on the same cores. Over a network, a trip costs more than everything
  else here, and what counts is the number of trips.
- Subjects do not promise the same. The floors share no loads, have no tags and fence nothing. Of the caches, only
  effect-cache keeps a value out that was invalidated while it was loaded, and decodes what it reads with a schema; this is in
  its figures.
- A difference smaller than the spread is none.
`
