import { setTimeout as sleep } from 'node:timers/promises';

import type { Subject } from './benchmark.js';
import { readCpuTicks, stealBetween } from './host.js';

/** A round in which the host took more than this share of the time is run again. */
const STEAL_LIMIT = 0.01;
/** Long enough for the other side's threads to stop spinning. */
const PAUSE_MS = 20;

export interface Measurement {
    /** Subject key -> seconds per unit of work, one a round that counts. */
    readonly seconds: Map<string, number[]>;
    /** GFLOP/s, one a round that counts. */
    readonly peaks: number[];
    /** Mean share of the time that the host took in the rounds that count. */
    readonly steal: number;
    /** Rounds that were left out because the host took too much. */
    readonly discarded: number;
}

interface Round {
    readonly seconds: Map<string, number>;
    readonly peak: number | null;
    readonly steal: number;
}

async function runRound(
    subjects: readonly Subject[],
    turn: number,
    peak: (() => number) | null,
): Promise<Round> {
    const before = readCpuTicks();
    const peakNow = peak ? peak() : null;
    const seconds = new Map<string, number>();
    for (const subject of subjects) {
        seconds.set(subject.key, (await subject.run(turn)) / turn);
        await sleep(PAUSE_MS);
    }
    return { seconds, peak: peakNow, steal: stealBetween(before, readCpuTicks()) };
}

/** Every subject takes its turn in every round: A B C, A B C, ... after one turn each to warm up. */
export async function runRounds(
    subjects: readonly Subject[],
    options: { rounds: number; turn: number; peak: (() => number) | null },
): Promise<Measurement> {
    for (const subject of subjects) await subject.run(options.turn);
    const done: Round[] = [];
    const quiet = (): Round[] => done.filter((round) => round.steal <= STEAL_LIMIT);
    while (quiet().length < options.rounds && done.length < 2 * options.rounds) {
        done.push(await runRound(subjects, options.turn, options.peak));
    }
    const counted = quiet().length >= options.rounds ? quiet() : done;
    return {
        seconds: new Map(
            subjects.map(({ key }) => [key, counted.map((round) => round.seconds.get(key) ?? Number.NaN)]),
        ),
        peaks: counted.flatMap((round) => (round.peak === null ? [] : [round.peak])),
        steal: counted.reduce((sum, round) => sum + round.steal, 0) / counted.length,
        discarded: done.length - counted.length,
    };
}
