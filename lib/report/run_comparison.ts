import type { RunRecord } from '../track/read_run.js';

/** What the runs of a list are compared by. */
export interface RunComparison {
    readonly runs: readonly RunRecord[];
    /** Names of metrics, in the order of their columns. */
    readonly metrics: readonly string[];
    /** Names of further metrics of the runs, but for those of the machine and of single batches. */
    readonly otherMetrics: readonly string[];
    /** Names of parameters, in the order of their columns. */
    readonly params: readonly string[];
}

/** What says where a run lies, not what it is. */
const PLACES = ['experiment_name', 'model_name', 'output_dir', 'resume', 'run_name'];

/** What training and evaluation write, most telling first. */
const KNOWN_METRICS = [
    'test_accuracy',
    'validation_accuracy',
    'accuracy',
    'test_loss',
    'validation_loss',
    'loss',
    'train_seconds',
];

/** Columns of metrics where nobody asks for others; more would not fit beside each other. */
const MOST_METRICS = 8;
/** What is logged often, and seldom compared by its last value. */
const SELDOM = /^(system|batch)\//;

/** The columns that tell runs apart: those asked for, else the most telling metrics that a run has and parameters that differ. */
export function compareRuns(
    runs: readonly RunRecord[],
    asked: {
        readonly metrics?: readonly string[] | undefined;
        readonly params?: readonly string[] | undefined;
    } = {},
): RunComparison {
    const had = new Set(runs.flatMap(({ metrics }) => [...metrics.keys()]));
    const known = KNOWN_METRICS.filter((name) => had.has(name));
    const own = [...had].filter((name) => !known.includes(name) && !SELDOM.test(name));
    const metrics = asked.metrics ?? [...known, ...own].slice(0, MOST_METRICS);
    return {
        runs,
        metrics,
        otherMetrics: [...known, ...own].filter((name) => !metrics.includes(name)),
        params: asked.params ?? differingParams(runs),
    };
}

/** Parameters with several values, or that some runs of a kind have and others lack: an option that is not given is not logged. */
function differingParams(runs: readonly RunRecord[]): string[] {
    const names = new Set(runs.flatMap(({ params }) => [...params.keys()]));
    const kinds = kindsOf(runs);
    return [...names].filter((name) => {
        if (PLACES.includes(name)) return false;
        const values = runs.map(({ params }) => params.get(name)).filter((value) => value !== undefined);
        return new Set(values).size > 1 || kinds.some((kind) => isOfSome(name, kind));
    });
}

/**
 * Runs of one command, as an evaluation lacks every option of a training; those of users' programs are one kind. A run without
 * any parameter, which may have died before it logged them, is of none.
 */
function kindsOf(runs: readonly RunRecord[]): RunRecord[][] {
    const kinds = new Map<string, RunRecord[]>();
    for (const run of runs) {
        if (run.params.size === 0) continue;
        const verb = run.tags.get('nativegrad.command')?.split(' ', 2)[1] ?? '';
        kinds.set(verb, [...(kinds.get(verb) ?? []), run]);
    }
    return [...kinds.values()];
}

function isOfSome(name: string, runs: readonly RunRecord[]): boolean {
    const count = runs.filter(({ params }) => params.has(name)).length;
    return count > 0 && count < runs.length;
}

/** The metric's last value; undefined where the run has none. */
export function lastValue(run: RunRecord, metric: string): number | undefined {
    return run.metrics.get(metric)?.at(-1)?.value;
}

/** In seconds; for a run that goes on, until its last line. */
export function secondsOf({ startTime, endTime, metrics }: RunRecord): number {
    const times = [...metrics.values()].map((points) => points.at(-1)?.time ?? 0);
    return ((endTime ?? Math.max(startTime, ...times)) - startTime) / 1000;
}

/** A figure as short as it stays telling. */
export function figureText(value: number | undefined): string {
    if (value === undefined) return '–';
    if (Number.isInteger(value)) return String(value);
    return Math.abs(value) >= 100 ? value.toFixed(1) : String(Number(value.toPrecision(5)));
}

/** 2026-01-31 23:59, by the clock of this machine. */
export function startText({ startTime }: RunRecord): string {
    const date = new Date(startTime);
    const pad = (value: number): string => String(value).padStart(2, '0');
    const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
    return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** A name for each run that no other one has: its own, or, where several have it, the folders that tell them apart. */
export function labelsOf(runs: readonly RunRecord[]): ReadonlyMap<RunRecord, string> {
    const tail = ({ folder }: RunRecord, parts: number): string =>
        folder.split(/[\\/]/).slice(-parts).join('/');
    const count = new Map<string, number>();
    for (const { name } of runs) count.set(name, (count.get(name) ?? 0) + 1);
    const depth = Math.max(1, ...runs.map(({ folder }) => folder.split(/[\\/]/).length));
    let parts = 2;
    while (parts < depth && new Set(runs.map((run) => tail(run, parts))).size < runs.length) parts++;
    return new Map(runs.map((run) => [run, count.get(run.name) === 1 ? run.name : tail(run, parts)]));
}
