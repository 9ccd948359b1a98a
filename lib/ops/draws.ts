import { perStep, type Scalar } from '../native/tracer.js';
import type { Generator } from './generator.js';

/** Where the random numbers of one op begin. */
export interface Draw {
    readonly seed: Scalar;
    readonly offset: Scalar;
}

interface DrawLog {
    readonly draws: Draw[];
    /** The next one to be repeated; null while they are noted. */
    next: number | null;
}

const logs: DrawLog[] = [];

/** @internal Takes counters of a generator: now, or before each replay of a step that is captured; or again those of a log. */
export function drawFrom(generator: Generator, counters: number): Draw {
    const repeated = logs.findLastIndex(({ next }) => next !== null);
    const log = logs[repeated];
    const draw =
        log && log.next !== null
            ? repeat(log, log.next)
            : {
                  seed: perStep(() => generator.seed),
                  offset: perStep(() => generator.reserve(counters), generator),
              };
    for (const { draws } of logs.slice(repeated + 1)) draws.push(draw);
    return draw;
}

function repeat(log: DrawLog, place: number): Draw {
    const draw = log.draws[place];
    if (!draw)
        throw new Error(
            `[checkpoint] the function draws random numbers more often in backward than the ${place} times of forward; ` +
                'it must depend on its inputs alone',
        );
    log.next = place + 1;
    return draw;
}

function within<T>(log: DrawLog, body: () => T): T {
    logs.push(log);
    try {
        return body();
    } finally {
        logs.pop();
    }
}

/** @internal A function that runs `body`, and the list in which it notes what is drawn. */
export function noteDraws<T>(body: () => T): { readonly draws: readonly Draw[]; readonly body: () => T } {
    const log: DrawLog = { draws: [], next: null };
    return { draws: log.draws, body: () => within(log, body) };
}

/** @internal Runs `body` with the draws of a list. */
export function repeatDraws<T>(draws: readonly Draw[], body: () => T): T {
    return within({ draws: [...draws], next: 0 }, body);
}
