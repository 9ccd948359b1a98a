import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { findCheckpoints } from '../io/checkpoint/read_checkpoint.js';
import type { TrainConfig } from './train_flags.js';
import { UsageError } from './usage_error.js';

const CHECKPOINTS = 'checkpoints';
const WRITTEN_OVER = ['history.jsonl', 'report.html'];

type ResumeFlags = Pick<TrainConfig, 'resume' | 'outputDir' | 'experimentName' | 'runName' | 'modelName'>;

/** What `--resume` names. */
export interface ResumePlace {
    /** Of the run, whether it is there or not. */
    readonly folder: string;
    /** One checkpoint of it, where that was named and not the run. */
    readonly checkpoint?: string;
}

/** The run that `--resume` goes on with: its folder, the `checkpoints` in it or one of those may be named; auto: by `--run_name`. */
export function resumePlace(flags: Omit<ResumeFlags, 'modelName'>): ResumePlace | undefined {
    const { resume, outputDir, experimentName, runName } = flags;
    if (resume === undefined) return undefined;
    if (resume === 'auto') return { folder: join(outputDir, experimentName ?? '', runName ?? '') };
    const parent = dirname(resume);
    if (basename(resume) === CHECKPOINTS) return { folder: parent };
    if (basename(parent) === CHECKPOINTS) return { folder: dirname(parent), checkpoint: resume };
    return { folder: resume };
}

/**
 * Whether there is a checkpoint to go on from; where there is none, `--resume auto` begins a new run. Nothing is written.
 *
 * @throws {UsageError} where there is nothing to go on from, and the run would begin anew over what is there.
 */
export async function findResumed(flags: ResumeFlags, place: ResumePlace): Promise<boolean> {
    const { resume, runName, modelName } = flags;
    const { folder, checkpoint } = place;
    if (resume === 'auto' && runName === undefined)
        throw new UsageError(
            '--resume auto needs --run_name, which says what goes on; or give --resume the run folder',
        );
    if (!(await isFolder(folder))) {
        if (resume === 'auto') return false;
        throw new UsageError(`--resume: there is no run folder ${folder}`);
    }
    const files = await readdir(folder);
    const isRun = files.includes('config.json');
    if (resume !== 'auto' && !isRun)
        throw new UsageError(
            `--resume: ${folder} is no run folder, it holds no config.json; name the folder that train has written`,
        );
    const found = await findCheckpoints(join(folder, CHECKPOINTS));
    if (checkpoint !== undefined) {
        if (!found.some(({ name }) => name === basename(checkpoint)))
            throw new UsageError(
                `--resume: there is no checkpoint ${checkpoint}; ${folder} has ${found.map(({ name }) => name).join(', ') || 'none'}`,
            );
        return true;
    }
    if (found.length > 0) return true;
    const hasEnded = files.includes('metrics.json') || files.includes(`${modelName}.safetensors`);
    if (resume !== 'auto' || hasEnded)
        throw new UsageError(
            `--resume: ${folder} holds no checkpoint to go on from (a run saves them with --checkpoint_every, and with --resume); ` +
                'train with another --run_name',
        );
    // What a scheduler writes there may stand beside the run, and so may what is left of one that died at its very start.
    const lost = WRITTEN_OVER.find((name) => files.includes(name));
    if (!isRun && lost !== undefined)
        throw new UsageError(
            `--resume auto: ${folder} is no run folder, and has a ${lost} that a run would write over; give another --run_name`,
        );
    return false;
}

async function isFolder(path: string): Promise<boolean> {
    return stat(path).then(
        (found) => found.isDirectory(),
        () => false,
    );
}
