import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { median } from './statistics.js';

/** Where and how a run took place. */
export interface RunFacts {
    /** The script of package.json that ran. */
    readonly script: string;
    readonly words: readonly string[];
    readonly machine: string;
    /** What is measured, from `currentCommit()` before it is. */
    readonly commit: string | null;
    /** GFLOP/s of multiply-adds, as often as they were measured. */
    readonly peaks?: readonly number[];
}

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** What `body` gives; null where it throws. */
function orNull<T>(body: () => T): T | null {
    try {
        return body();
    } catch {
        return null;
    }
}

function commitOfGit(folder: string): string | null {
    return orNull(() => {
        const git = (...words: string[]): string =>
            execFileSync('git', ['-C', folder, ...words], {
                encoding: 'utf8',
                stdio: ['ignore', 'pipe', 'ignore'],
            }).trim();
        // A copy of the files may lie within a repository of something else.
        if (realpathSync(git('rev-parse', '--show-toplevel')) !== realpathSync(folder)) return null;
        const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
        return git('rev-parse', '--short', 'HEAD') + (changed ? '+' : '');
    });
}

/**
 * The commit that was measured, with a + where files differ from it. Where this is no repository, or without git, what a file
 * `COMMIT` in the project's folder says; null where there is none.
 */
export function currentCommit(folder = PROJECT): string | null {
    return commitOfGit(folder) ?? orNull(() => readFileSync(join(folder, 'COMMIT'), 'utf8').trim());
}

/** Options whose value is a place on this machine, and says nothing to a reader elsewhere. */
const PLACES = new Set(['--python', '--tfjs', '--data', '--best', '--save']);

/** The command line as it can be repeated on another machine. */
export function portableCommand(script: string, words: readonly string[]): string {
    const shown = words.flatMap((word, i) => {
        if (PLACES.has(word)) return word === '--save' ? [] : [word, 'PATH'];
        if (PLACES.has(words[i - 1] ?? '')) return [];
        const option = word.split('=')[0] ?? '';
        if (word.includes('=') && PLACES.has(option)) return option === '--save' ? [] : [option, 'PATH'];
        return [word];
    });
    return [`npm run ${script} --`, ...shown].join(' ');
}

/** A place for the figures that cannot be written to. */
export class UnwritableError extends Error {
    override name = 'UnwritableError';
}

/** Throws UnwritableError where `saveRun` could not write: before minutes of measuring. */
export function requireWritable(path: string): void {
    try {
        accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new UnwritableError(`--save ${path} cannot be written: ${reason}`);
    }
}

/** Writes a file of `bench/results/`. */
export function saveRun(path: string, rows: readonly object[], facts: RunFacts): void {
    const { script, words, machine, commit, peaks = [] } = facts;
    const run = {
        date: new Date().toISOString().slice(0, 10),
        command: portableCommand(script, words),
        commit,
        machine,
        peak_gflops: peaks.length > 0 ? Number(median(peaks).toFixed(1)) : null,
        rows,
    };
    writeFileSync(path, `${JSON.stringify(run, null, 4)}\n`);
}
