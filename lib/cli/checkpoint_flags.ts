import { join } from 'node:path';
import { stat } from 'node:fs/promises';

import { CheckpointStore } from '../train/checkpoint_store.js';
import type { SaveInterval } from './interval_flag.js';
import { resumedFolder } from './resumed_flags.js';
import { createRunFolder, type RunFolder, type RunFolderOptions } from './run_folder.js';
import { UsageError } from './usage_error.js';

interface CheckpointConfig extends RunFolderOptions {
    readonly resume: string | undefined;
    readonly checkpointEvery: SaveInterval;
    readonly keepCheckpoints: number;
}

/** The folder of the run: a new one, or the one that `--resume` goes on in. */
export async function runFolderFor(config: CheckpointConfig): Promise<RunFolder> {
    const { resume, runName } = config;
    if (resume === undefined) return createRunFolder(config);
    if (resume === 'auto' && runName === undefined)
        throw new UsageError(
            '--resume auto needs --run_name, which says what goes on; or give --resume the run folder',
        );
    const path = resumedFolder(config) ?? resume;
    const isThere = await stat(path).then(
        (found) => found.isDirectory(),
        () => false,
    );
    if (isThere) return { path, name: runName ?? path, file: (file) => join(path, file) };
    if (resume === 'auto') return createRunFolder(config);
    throw new UsageError(`--resume: there is no run folder ${path}`);
}

/** Where the run saves, and whether it goes on; nothing where neither flag was given. */
export function checkpointOptions(
    { resume, checkpointEvery, keepCheckpoints }: CheckpointConfig,
    folder: RunFolder,
    warn: (text: string) => void,
): { checkpoints?: CheckpointStore; resume?: 'auto' } {
    if (resume === undefined && checkpointEvery === undefined) return {};
    const checkpoints = new CheckpointStore(folder.file('checkpoints'), {
        keepLast: keepCheckpoints,
        onWarning: warn,
        ...(checkpointEvery ? { every: checkpointEvery } : {}),
    });
    return { checkpoints, ...(resume === undefined ? {} : { resume: 'auto' }) };
}
