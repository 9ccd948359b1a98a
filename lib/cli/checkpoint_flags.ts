import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { CheckpointStore } from '../train/checkpoint_store.js';
import type { SaveInterval } from './interval_flag.js';
import { resumePlace } from './resume_place.js';
import { createRunFolder, type RunFolder, type RunFolderOptions } from './run_folder.js';

interface CheckpointConfig extends RunFolderOptions {
    readonly resume: string | undefined;
    readonly checkpointEvery: SaveInterval;
    readonly keepCheckpoints: number;
    readonly keepBest: number;
}

/** The folder of the run: a new one, or the one that `--resume` goes on in. */
export async function runFolderFor(config: CheckpointConfig): Promise<RunFolder> {
    const path = resumePlace(config)?.folder;
    const isThere = path !== undefined && (await stat(path).catch(() => null)) !== null;
    if (!isThere) return createRunFolder(config);
    return { path, name: config.runName ?? basename(path), file: (file) => join(path, file) };
}

/** Where the run saves, and what it goes on from; nothing where neither flag was given. */
export function checkpointOptions(
    config: CheckpointConfig,
    folder: RunFolder,
    warn: (text: string) => void,
): { checkpoints?: CheckpointStore; resume?: string } {
    const { resume, checkpointEvery, keepCheckpoints, keepBest } = config;
    if (resume === undefined && checkpointEvery === undefined && keepBest === 0) return {};
    const checkpoints = new CheckpointStore(folder.file('checkpoints'), {
        keepLast: keepCheckpoints,
        keepBest,
        onWarning: warn,
        ...(checkpointEvery ? { every: checkpointEvery } : {}),
    });
    return {
        checkpoints,
        ...(resume === undefined ? {} : { resume: resumePlace(config)?.checkpoint ?? 'auto' }),
    };
}
