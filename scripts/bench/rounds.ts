import { setTimeout as sleep } from 'node:timers/promises';

import type { Subject } from './benchmark.js';
import { readCpuTicks, stealBetween } from './host.js';

/** A round in which the host took more than this share of the time is run again. */
const STEAL_LIMIT = 0.01;
/** Long enough for the other side's threads to stop spinning. */
const PAUSE_MS = 20;
/** What a turn lasts whose length is not given. */
const TURN_SECONDS = 0.04;

export interface Measurement {
    /** Subject key -> seconds (or bytes) per unit of work, one a round that counts. */
    readonly amounts: Map<string, number[]>;
    /** GFLOP/s, one a round that counts; empty where no peak is asked for. */
    readonly peaks: number[];
    /** Units of work in a turn. */
    readonly turn: number;
    /** Mean share of the time that the host took in the rounds that count. */
    readonly steal: number;
    /** Rounds that were left out because the host took too much. */
    readonly discarded: number;
}

interface Round {
    readonly amounts: Map<string, number>;
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
    const amounts = new Map<string, number>();
    for (const subject of subjects) {
        amounts.set(subject.key, (await subject.run(turn)) / turn);
        await sleep(PAUSE_MS);
    }
    return { amounts, peak: peakNow, steal: stealBetween(before, readCpuTicks()) };
}

/**
 * Units of work that take this subject about as long as a turn should last. The first unit does not count: it
 * touches new memory, and may take as long as the turn itself.
 */
export async function findTurn(subject: Subject, seconds = TURN_SECONDS): Promise<number> {
    await subject.run(1);
    for (let count = 1; ; count *= 2) {
        const taken = await subject.run(count);
        if (taken >= seconds / 2) return Math.max(1, Math.round((count * seconds) / taken));
    }
}

/** Every subject takes its turn in every round: A B C, A B C, ... after one turn each to warm up. The first sets `turn`. */
export async function runRounds(
    subjects: readonly Subject[],
    options: { rounds: number; turn?: number; peak: (() => number) | null },
): Promise<Measurement> {
    const [first] = subjects;
    if (!first) throw new Error('[bench] there is nobody to take turns');
    const turn = options.turn ?? (await findTurn(first));
    for (const subject of subjects) await subject.run(turn);
    const done: Round[] = [];
    const quiet = (): Round[] => done.filter((round) => round.steal <= STEAL_LIMIT);
    while (quiet().length < options.rounds && done.length < 2 * options.rounds) {
        done.push(await runRound(subjects, turn, options.peak));
    }
    const counted = quiet().length >= options.rounds ? quiet() : done;
    return {
        amounts: new Map(
            subjects.map(({ key }) => [key, counted.map((round) => round.amounts.get(key) ?? Number.NaN)]),
        ),
        peaks: counted.flatMap((round) => (round.peak === null ? [] : [round.peak])),
        turn,
        steal: counted.reduce((sum, round) => sum + round.steal, 0) / counted.length,
        discarded: done.length - counted.length,
    };
}
