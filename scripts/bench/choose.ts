import type { Benchmark } from './benchmark.js';

/** A word on the command line that names no row. */
export class UnknownRowError extends Error {
    override name = 'UnknownRowError';
}

export function groupsOf(benchmarks: readonly Benchmark[]): string[] {
    return [...new Set(benchmarks.map(({ group }) => group))];
}

/** The rows that the words name, by group or by name, in the order of `benchmarks`; all without a word. */
export function chooseRows(benchmarks: readonly Benchmark[], words: readonly string[]): Benchmark[] {
    const unknown = words.find(
        (word) => !benchmarks.some(({ group, name }) => group === word || name === word),
    );
    if (unknown !== undefined) {
        throw new UnknownRowError(
            `no benchmark ${unknown}; there are ${groupsOf(benchmarks).join(', ')} and the rows of --list`,
        );
    }
    if (words.length === 0) return [...benchmarks];
    return benchmarks.filter(({ group, name }) => words.includes(group) || words.includes(name));
}
