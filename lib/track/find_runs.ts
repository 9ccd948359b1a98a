import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { LOG_NAME } from './run_log.js';
import { readRun } from './read_run.js';
import type { RunRecord } from './read_run.js';

// output/experiment/run/runs/evaluation, and some more.
const DEEPEST = 8;

/**
 * Every run in a folder and in those below, in the order of their paths; the runs may be going on.
 *
 * @throws {Error} the system's, where `folder` cannot be read; folders below that cannot be read are left out.
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const folder = mkdtempSync(`${tmpdir()}/runs-`);
 * await (await track.startRun({ folder: `${folder}/first`, name: 'first' })).end();
 * console.log((await track.findRuns(folder)).map(({ name }) => name)); // [ 'first' ]
 */
export async function findRuns(folder: string): Promise<RunRecord[]> {
    if (!(await stat(folder)).isDirectory()) throw new Error(`[findRuns] ${folder} is no folder`);
    return collect(folder, DEEPEST);
}

async function collect(folder: string, depth: number): Promise<RunRecord[]> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const found: RunRecord[] = [];
    if (entries.some(({ name }) => name === LOG_NAME)) {
        const run = await readRun(folder).catch(() => undefined);
        if (run !== undefined) found.push(run);
    }
    if (depth === 0) return found;
    // No link is followed: it might lead in a circle.
    const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    for (const { name } of below.sort((a, b) => (a.name < b.name ? -1 : 1)))
        found.push(...(await collect(join(folder, name), depth - 1)));
    return found;
}
