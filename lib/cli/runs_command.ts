import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { writeFileAtomic } from '../io/atomic_file.js';
import { renderComparison } from '../report/index.js';
import { startText } from '../report/run_comparison.js';
import { compareRuns, figureText, lastValue, secondsOf } from '../report/run_comparison.js';
import type { RunComparison } from '../report/run_comparison.js';
import { duration } from '../report/figures_text.js';
import { alignedRows } from '../support/text_table.js';
import { findRuns } from '../track/find_runs.js';
import type { RunRecord } from '../track/read_run.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { readRunsConfig } from './runs_flags.js';
import type { Order, RunsConfig } from './runs_flags.js';
import { shownPath } from './shown_path.js';
import type { Streams } from './streams.js';
import { UsageError } from './usage_error.js';

/** Lists the runs of folders, and writes their comparison as a page where that is asked for. */
export async function runsCommand(raw: RawFlags, { out, err }: Streams): Promise<number> {
    const config = readRunsConfig(raw);
    const runs = await chosenRuns(config);
    const comparison = compareRuns(runs, config);
    if (config.page !== undefined) await writePage(config.page, comparison);
    if (config.json) out.write(`${JSON.stringify(runs.map((run) => runForJson(run)))}\n`);
    else if (runs.length > 0) out.write(`${runsTable(comparison)}\n${othersLine(comparison, config)}`);
    if (config.page !== undefined) (config.json ? err : out).write(`page ${config.page}\n`);
    return EXIT.done;
}

/** @throws {UsageError} where there is no run, or none knows what to sort by. */
async function chosenRuns({ folders, nested, sort, limit }: RunsConfig): Promise<RunRecord[]> {
    const missing = folders.find(
        (folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true,
    );
    if (missing !== undefined)
        throw new UsageError(`there is no folder ${missing}; name the one that --output_dir of train was`);
    const found = (await Promise.all(folders.map((folder) => findRuns(resolve(folder))))).flat();
    const unique = [...new Map(found.map((run) => [run.folder, run])).values()];
    const named = folders.map((folder) => resolve(folder));
    const runs = unique.filter((run) => nested || run.parentId === undefined || named.includes(run.folder));
    if (runs.length === 0)
        throw new UsageError(`no runs in ${folders.join(', ')}; a run folder holds a tracking.jsonl`);
    return sorted(runs, sort).slice(0, limit);
}

function sorted(runs: readonly RunRecord[], { name, isReversed }: Order): RunRecord[] {
    const keys = new Map(runs.map((run) => [run, sortKey(run, name)]));
    if ([...keys.values()].every((key) => key === undefined)) {
        const metrics = [...new Set(runs.flatMap((run) => [...run.metrics.keys()]))].slice(0, 12);
        throw new UsageError(
            `--sort ${name}: no run has it; there are start, name, status, duration, ${metrics.join(', ')}`,
        );
    }
    const direction = isReversed ? -1 : 1;
    return [...runs].sort((a, b) => {
        const [first, second] = [keys.get(a), keys.get(b)];
        // What has no such figure, or none that is a number, comes last either way.
        if (isMissing(first) || isMissing(second))
            return Number(isMissing(first)) - Number(isMissing(second));
        if (typeof first === 'number' && typeof second === 'number') return direction * (second - first);
        return direction * String(first).localeCompare(String(second), 'en', { numeric: true });
    });
}

function isMissing(key: string | number | undefined): boolean {
    return key === undefined || Number.isNaN(key);
}

function sortKey(run: RunRecord, name: string): string | number | undefined {
    switch (name) {
        case 'start':
            return run.startTime;
        case 'name':
            return run.name;
        case 'status':
            return run.status;
        case 'duration':
            return secondsOf(run);
        default:
            return lastValue(run, name) ?? run.params.get(name);
    }
}

const MOST_OTHERS = 12;

/** What the runs have beside the columns, where nobody has chosen these. */
function othersLine({ otherMetrics }: RunComparison, { metrics }: RunsConfig): string {
    if (metrics !== undefined || otherMetrics.length === 0) return '';
    const more = otherMetrics.length - MOST_OTHERS;
    const named = otherMetrics.slice(0, MOST_OTHERS).join(', ');
    return `\n--metrics shows others: ${named}${more > 0 ? ` and ${more} more` : ''}\n`;
}

const MOST_LETTERS = 24;

function runsTable({ runs, metrics, params }: RunComparison): string {
    const short = (text: string): string =>
        text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
    const rows = runs.map((run) => [
        shownPath(run.folder),
        run.status.toLowerCase(),
        startText(run),
        duration(secondsOf(run)),
        ...metrics.map((name) => figureText(lastValue(run, name))),
        ...params.map((name) => short(run.params.get(name) ?? '–')),
    ]);
    return alignedRows([['run', 'status', 'start', 'time', ...metrics, ...params], ...rows], 3).join('\n');
}

function runForJson(run: RunRecord): object {
    const { id, name, folder, experiment, parentId, status, startTime, endTime } = run;
    const metrics = [...run.metrics].map(([metric, points]): [string, number | null] => {
        const value = points.at(-1)?.value ?? NaN;
        return [metric, Number.isFinite(value) ? value : null];
    });
    return {
        id,
        name,
        folder,
        experiment: experiment ?? null,
        parent_id: parentId ?? null,
        status,
        start_time: new Date(startTime).toISOString(),
        end_time: endTime === undefined ? null : new Date(endTime).toISOString(),
        params: Object.fromEntries(run.params),
        tags: Object.fromEntries(run.tags),
        metrics: Object.fromEntries(metrics),
    };
}

/** Links lead to the runs' own pages as seen from this one. */
async function writePage(path: string, comparison: RunComparison): Promise<void> {
    const base = dirname(resolve(path));
    const linkOf = (run: RunRecord): string | undefined => {
        const report = join(run.folder, 'report.html');
        if (!existsSync(report)) return undefined;
        const way = relative(base, report);
        return way.startsWith('..')
            ? pathToFileURL(report).href
            : way.split(/[\\/]/).map(encodeURIComponent).join('/');
    };
    await writeFileAtomic(path, await renderComparison(comparison, linkOf));
}
