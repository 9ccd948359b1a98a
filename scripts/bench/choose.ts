/** What a row is chosen by. */
export interface Named {
    readonly group: string;
    readonly name: string;
}

/** A word on the command line that names no row. */
export class UnknownRowError extends Error {
    override name = 'UnknownRowError';
}

export function groupsOf(benchmarks: readonly Named[]): string[] {
    return [...new Set(benchmarks.map(({ group }) => group))];
}

/** The rows that the words name, by group or by name, in the order of `benchmarks`; all without a word. */
export function chooseRows<T extends Named>(benchmarks: readonly T[], words: readonly string[]): T[] {
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
