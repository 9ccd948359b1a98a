import { integerFlag, pathFlag, readFlags, switchFlag } from './flags.js';
import type { ConfigOf, Flag, RawFlags } from './flags.js';

/** Every flag of `runs`; the order is that of the help. */
export const RUNS_FLAGS = {
    folders: foldersFlag(),
    metrics: namesFlag(
        'metrics to show, like test_accuracy,loss (default: up to eight that the runs have, those that train writes first)',
    ),
    params: namesFlag('parameters to show (default: those in which the runs differ)'),
    sort: sortFlag(),
    limit: integerFlag('shows so many runs (default: all)', undefined, { min: 1, max: 1e6 }),
    nested: switchFlag('shows runs inside runs as well, like evaluations'),
    page: pathFlag('also writes the comparison with its curves as an HTML page', '<file>', undefined),
    json: switchFlag('print one JSON array on stdout'),
} as const;

export type RunsConfig = ConfigOf<typeof RUNS_FLAGS>;

/** @throws {UsageError} naming the flag, what was expected and what came. */
export function readRunsConfig(raw: RawFlags): RunsConfig {
    return readFlags(RUNS_FLAGS, raw);
}

/** Paths, with line feeds between. */
export function foldersFlag(): Flag<readonly string[]> {
    return {
        placeholder: '<dir>',
        description: 'run folders, or folders with runs below; may stand without the flag',
        defaultText: 'output',
        fallback: ['output'],
        parse: (text, reject) => (/(^|\n)(\n|$)|\0/.test(text) ? reject('folders') : text.split('\n')),
    };
}

/** Names with commas between. */
function namesFlag(description: string): Flag<readonly string[] | undefined> {
    return {
        placeholder: '<name,...>',
        description,
        defaultText: undefined,
        fallback: undefined,
        repeats: true,
        parse: (text, reject) => {
            const names = text.split(',').map((name) => name.trim());
            return names.includes('') ? reject('names with commas between') : names;
        },
    };
}

export interface Order {
    readonly name: string;
    readonly isReversed: boolean;
}

function sortFlag(): Flag<Order> {
    return {
        placeholder: '<name>',
        description:
            'start, duration or a metric, largest first, or name, status or a parameter; -name the other way round',
        defaultText: 'start, newest first',
        fallback: { name: 'start', isReversed: false },
        parse: (text, reject) => {
            const isReversed = text.startsWith('-');
            const name = isReversed ? text.slice(1) : text;
            return name === '' ? reject('a name') : { name, isReversed };
        },
    };
}
