import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { writeReport } from '../../lib/cli/pictures.js';
import { createRunFolder } from '../../lib/cli/run_folder.js';
import { classificationReport } from '../../lib/train/metrics.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('the pictures of a run', () => {
    const folder = useTemporaryFolder();

    it('and its page look at the probabilities once', async () => {
        const labels = Int32Array.of(0, 1, 1, 0);
        const predictions = Int32Array.of(0, 1, 0, 0);
        const probabilities = Float32Array.of(0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.6, 0.4);
        let looks = 0;
        const some = probabilities.some.bind(probabilities);
        probabilities.some = (...words) => {
            looks++;
            return some(...words);
        };
        const report = classificationReport(labels, predictions, 2);
        const score = { loss: 0.5, labels, predictions, probabilities, report };
        const naming = { experimentName: undefined, runName: 'one', architecture: 'mlp' };
        const place = await createRunFolder({ outputDir: folder(), ...naming });
        const evaluation = { name: 'Test set', score, classNames: ['a', 'b'] };
        const names = await writeReport(place, { title: 'Run', evaluation }, (text) => assert.fail(text));
        assert.equal(looks, 1);
        for (const name of ['report.html', 'roc.svg', 'calibration.png', 'confusion_matrix.svg'])
            assert.ok(names.includes(name), name);
        const page = readFileSync(join(place.path, 'report.html'), 'utf8');
        assert.match(page, /1 wrong prediction\./);
        assert.match(page, /Calibration/);
    });
});
