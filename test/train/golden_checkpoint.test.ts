import assert from 'node:assert/strict';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { FORMAT_VERSION } from '../../lib/io/checkpoint/manifest.js';
import { CheckpointStore } from '../../lib/train/checkpoint_store.js';
import { goldenFit } from '../support/golden_fit.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const golden = fileURLToPath(new URL('../golden/', import.meta.url));

describe('checkpoints of every version', () => {
    const folder = useTemporaryFolder();

    it('are there', () => {
        const versions = readdirSync(golden).filter((name) => name.startsWith('checkpoint_v'));
        assert.equal(versions.length, FORMAT_VERSION);
    });

    for (let version = 1; version <= FORMAT_VERSION; version++) {
        it(`go on: version ${version}`, async () => {
            cpSync(join(golden, `checkpoint_v${version}`), folder(), { recursive: true });
            const warnings: string[] = [];
            const checkpoints = new CheckpointStore(folder(), { onWarning: (text) => warnings.push(text) });
            const resumed = await goldenFit({ checkpoints, resume: 'auto' });
            // It may have been written on a processor with other instructions.
            assert.deepEqual(
                warnings.filter((text) => !text.includes('instructionSet')),
                [],
            );
            const whole = await goldenFit({});
            assert.equal(resumed.history.steps, whole.history.steps);
            assert.ok(resumed.history.seconds > 0, `${resumed.history.seconds} s`);
            resumed.history.epochs.forEach(({ loss, learningRate, lossScale }, i) => {
                const expected = whole.history.epochs[i];
                assert.ok(expected && Math.abs(loss - expected.loss) < 1e-3, `epoch ${i + 1}: ${loss}`);
                assert.deepEqual([learningRate, lossScale], [expected.learningRate, expected.lossScale]);
            });
            const weights = [...whole.model.stateDict()];
            [...resumed.model.stateDict()].forEach(([name, x], i) => {
                const [key, expected] = weights[i] ?? assert.fail(name);
                assert.equal(name, key);
                const far = x.to('float32').sub(expected.to('float32')).abs().max().item();
                assert.ok(far < 1e-2, `${name} differs by ${far}`);
            });
        });
    }
});
