// Writes test/golden/checkpoint_v<version>/step-<n>: a checkpoint in the middle of an epoch, as this version writes it. Run it once
// for each new version of the format; the folders of older ones stay as they are.
// Usage: node --import tsx scripts/reference/make_checkpoint_golden.ts
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { FORMAT_VERSION } from '../../lib/io/checkpoint/manifest.js';
import { CheckpointStore } from '../../lib/train/checkpoint_store.js';
import { goldenFit } from '../../test/support/golden_fit.js';

const folder = join(
    fileURLToPath(new URL('../../test/golden', import.meta.url)),
    `checkpoint_v${FORMAT_VERSION}`,
);
if (existsSync(folder))
    throw new Error(`${folder} is there already; files of a released version never change`);
const checkpoints = new CheckpointStore(folder, { every: { steps: 4 }, keepLast: 1 });
await goldenFit({ checkpoints, maxSteps: 4 });
console.log(folder);
