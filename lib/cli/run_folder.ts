import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { writeFileAtomic } from '../io/atomic_file.js';
import { makeFolders } from '../io/make_folders.js';
import { UsageError } from './usage_error.js';

export interface RunFolderOptions {
    readonly outputDir: string;
    readonly experimentName: string | undefined;
    /** Must be new; without it a name is made from the time and the architecture. */
    readonly runName: string | undefined;
    readonly architecture: string;
    readonly now?: Date;
}

/** The folder that one training run writes, and only that run. */
export interface RunFolder {
    readonly path: string;
    readonly name: string;
    /** The path of a file in the folder. */
    readonly file: (name: string) => string;
}

const MAX_TRIES = 1000;

/**
 * Creates `outputDir/experimentName?/runName`. A folder that exists is never used again: a made-up name gets a number
 * behind it, a given one is refused.
 *
 * @throws {UsageError} where the folder exists or cannot be made.
 */
export async function createRunFolder(options: RunFolderOptions): Promise<RunFolder> {
    const parent = join(options.outputDir, options.experimentName ?? '');
    try {
        await makeFolders(parent);
    } catch (cause) {
        const file = await fileInTheWay(parent);
        const reason = file === undefined ? errorText(cause) : `${file} is a file, not a folder`;
        throw new UsageError(`--output_dir: cannot create the output folder ${parent}: ${reason}`, { cause });
    }
    const base = options.runName ?? defaultName(options.now ?? new Date(), options.architecture);
    for (let number = 1; number <= MAX_TRIES; number++) {
        const name = number === 1 ? base : `${base}_${number}`;
        const path = join(parent, name);
        if (await tryCreate(path)) return { path, name, file: (file) => join(path, file) };
        if (options.runName !== undefined) {
            throw new UsageError(
                `the run folder ${path} exists already; choose another --run_name or leave it out`,
            );
        }
    }
    throw new UsageError(`${MAX_TRIES} runs named ${base} exist in ${parent}; give a --run_name`);
}

/** Writes a value as indented JSON, atomically. NaN and infinities become null, which is all that JSON knows. */
export async function writeJson(path: string, value: unknown): Promise<void> {
    await writeFileAtomic(path, `${JSON.stringify(value, undefined, 4)}\n`);
}

/** The part of a path that is no folder, if there is one. */
async function fileInTheWay(path: string): Promise<string | undefined> {
    for (let part = path; ; part = dirname(part)) {
        const found = await stat(part).catch(() => undefined);
        if (found !== undefined) return found.isDirectory() ? undefined : part;
        if (dirname(part) === part) return undefined;
    }
}

/** True where the folder is new; an error other than "exists" is the user's to mend. */
async function tryCreate(path: string): Promise<boolean> {
    try {
        await mkdir(path);
        return true;
    } catch (cause) {
        if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false;
        throw new UsageError(`cannot create the run folder ${path}: ${errorText(cause)}`, { cause });
    }
}

/** Local time, as the user's clock shows it: `20260131_235959_mlp`. */
function defaultName(now: Date, architecture: string): string {
    const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');
    const day = pad(now.getFullYear(), 4) + pad(now.getMonth() + 1) + pad(now.getDate());
    return `${day}_${pad(now.getHours())}${pad(now.getMinutes())}${pad(now.getSeconds())}_${architecture}`;
}

function errorText(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
