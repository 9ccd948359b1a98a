import { join } from 'node:path';

import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { freshSubject } from '../fresh_process.js';
import type { StagedPackage } from '../staged_package.js';

function stagedOf({ staged }: BenchContext): StagedPackage {
    if (!staged) throw new Error('[bench] the package was not staged');
    return staged;
}

function fresh(script: string, context: BenchContext): Subject {
    const { project } = stagedOf(context);
    const words = [join(project, script), String(context.threads), context.data];
    return freshSubject('nativegrad', { program: process.execPath, words, cwd: project });
}

const row = { group: 'startup', flops: null, turn: 1, needs: 'package' } as const;

export const startup: readonly Benchmark[] = [
    {
        ...row,
        name: 'startup_first_op',
        unit: 'ms',
        scale: 1000,
        peers: { pytorch: { framework: 'torch', script: 'first_op.py' } },
        ours: (context) => fresh('first_op.mjs', context),
    },
    {
        ...row,
        name: 'startup_rss_mlp',
        unit: 'MB',
        scale: 1e-6,
        peers: { pytorch: { framework: 'torch', script: 'train_mlp.py' } },
        ours: (context) => fresh('train_mlp.mjs', context),
    },
    {
        ...row,
        name: 'startup_package',
        unit: 'MB',
        scale: 1e-6,
        rounds: 1,
        peers: {},
        ours: (context) => ({
            key: 'nativegrad',
            run: (count) => Promise.resolve(count * stagedOf(context).unpackedBytes),
        }),
    },
];
