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

Two versions of effect-cache are compared by \`npm run bench:ab -- <commit>\`: the commit and the working tree, or a second commit,
both built, the bench's own files from the working tree. A round starts a process of each, which take turns, and gives one ratio of
their times; the median over rounds is shown, with the 95 % interval of that median (two of the ratios, by their order). Is it no
worse than 1.05? "Yes": the interval ends at 1.05 or below. "No": it begins above 1.05. "Not told apart": it begins at 1.05 or below,
and ends above. An issue that says "no worse than 1.05" asks that the interval begins at 1.05 or below, so that only a "no" breaks
it. Below a level of 95 % there is no verdict. The same commit twice shows what is noise.

What not to conclude:

- Absolute times are of one machine, with Redis beside it on the same cores. Over a network, a trip costs more than everything
  else here, and what counts is the number of trips.
- Subjects do not promise the same. The floors share no loads, have no tags and fence nothing. Of the caches, only
  effect-cache keeps a value out that was invalidated while it was loaded, and decodes what it reads with a schema; this is in
  its figures.
- A difference smaller than the spread is none.
`

export const costs = `## Where the time goes

Profiles of effect-cache on the same machine: shares of the samples, without what the profiler itself takes.

- **A hit in memory** (one hot key, 300 ns alone in a process): the map and the arrays 26 %, the iterator of \`yield*\` and its question
  24 %, the key 12 %, Effect's driver of generators 10 %; the caller's own loop is 22 %. The clock, at 60 ns, would be a fifth: it is
  read once in a run of synchronous code. \`Effect over Map.get\` has a key, a look-up and a TTL in a plain effect, and takes as long.
  An iterator that ends at once halved the time, but answers where \`Effect.fnUntracedEager\` builds an effect: under other services,
  and before an invalidation that the run comes after.
- **A hit in Redis** (64 in flight): of the time that is not idle, JSON.parse 20 %, writing to the socket 6 %, collecting garbage 6 %.
  Beside \`Effect over MGET\`, header and schema take a tenth more; gathering reads, with who waits for them and until when, a
  quarter; the key, statistics and the client another tenth, none of their parts more than 3 %. With one in flight, waking a fiber
  alone takes a third more than awaiting a promise.
- **A miss in memory**: the most is a fiber for the load, which callers may share and which outlives the one who started it:
  \`Effect, load in a fiber\` has nothing else. The fill, the estimate of its size, the lease and the metrics are at 5 % and less.
- **A stampede**: 1,000 callers are 1,000 fibers that look, join and are woken: 8 to 15 ms of CPU a process, for four processes on two
  cores 15 to 30 ms beside the load. The first one of a process takes 50 to 100 ms more, and it is some twenty until its code is
  compiled.
- **An invalidation by pattern**: two passes, of which the second finds next to nothing. The slowest command is the scheduler's: a
  process that only looks at the clock (\`redis-cli --intrinsic-latency\`) is held up for 0.3 ms on this machine when it is idle, and
  for 4.4 ms beside one busy process.

Tried, and not kept:

- Keys kept by the text they are made of: 8 % less for one hot key, 5 % more for Zipf and 4 % more for a miss.
- Reads sent when 32 wait, while the rest of their turn goes on: with 64 in flight 7 % less time, for 9 % more CPU.
- Callers of a stampede that join the load where the reply arrives: 5 % less of its CPU, for 5 % more of every hit.
- \`effect/schema/SchemaJITCompiler\`: it saves 25 % of Effect's decoder; checking a value that nothing transforms saves 90 %.
- SCAN with half the COUNT: slower, and the slowest command is as slow.
`
