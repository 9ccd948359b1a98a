import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { withFlagsOfRun } from '../../lib/cli/resumed_flags.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('the flags of a run that goes on', () => {
    const folder = useTemporaryFolder();
    let warnings: string[] = [];
    beforeEach(() => (warnings = []));
    const warn = (text: string): void => void warnings.push(text);
    const begin = (flags: unknown): void =>
        writeFileSync(join(folder(), 'config.json'), JSON.stringify({ epochs: 3, flags }));

    it('are those it began with, and those that are given, of which it hears', async () => {
        begin({ epochs: '3', optimizer: 'sgd', tracking: 'mlflow', trackingUri: 'http://a' });
        const given = { epochs: '4', trackingUri: 'http://b', resume: folder(), json: true as const };
        const { raw, began, changed } = await withFlagsOfRun(given, folder(), warn);
        assert.deepEqual(changed, ['epochs']);
        assert.deepEqual(raw, { optimizer: 'sgd', tracking: 'mlflow', ...given });
        assert.equal(began.epochs, '3');
        assert.equal(warnings.length, 1);
        assert.match(warnings[0], /^--epochs 4: the run began with 3; its end will differ/);
    });

    it('are texts and switches, nothing else that stands there', async () => {
        begin({ useBatchNorm: true, epochs: 3, tags: null, loss: ['mse'], seed: '7', json: true });
        const { raw, began } = await withFlagsOfRun({ seed: '7' }, folder(), warn);
        assert.deepEqual(raw, { useBatchNorm: true, seed: '7' });
        assert.deepEqual(began, raw);
        assert.deepEqual(warnings, []);
    });

    it('are those that are given where the folder tells of none', async () => {
        const given = { epochs: '4', runName: 'a' };
        for (const flags of [undefined, 3, null]) {
            begin(flags);
            assert.deepEqual(await withFlagsOfRun(given, folder(), warn), {
                raw: given,
                began: { epochs: '4' },
                changed: [],
            });
        }
        writeFileSync(join(folder(), 'config.json'), '{ broken');
        assert.deepEqual((await withFlagsOfRun(given, folder(), warn)).raw, given);
        assert.deepEqual((await withFlagsOfRun(given, undefined, warn)).raw, given);
        assert.deepEqual(warnings, []);
    });
});
