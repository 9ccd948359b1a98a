import assert from 'node:assert/strict';

import { checkMemory, machineMemory, memoryNeed, networkSize } from '../../lib/cli/memory_need.js';
import { readTrainConfig } from '../../lib/cli/train_flags.js';
import { UsageError } from '../../lib/cli/usage_error.js';
import { buildClassifier } from '../../lib/train/classifier.js';

const GIB = 2 ** 30;

describe('memory that a training run needs', () => {
    const networks = [
        {},
        { hiddenSizes: '30,20,10', useBatchNorm: true as const },
        { architecture: 'cnn', useBatchNorm: true as const },
        { architecture: 'cnn', convChannels: '3,5,7', kernelSize: '5', hiddenSizes: '11' },
    ];
    for (const raw of networks) {
        it(`counts the parameters of ${JSON.stringify(raw)} as the layers have them`, () => {
            const config = readTrainConfig(raw);
            const parameters = buildClassifier(config).parameters();
            const count = parameters.reduce((sum, tensor) => sum + tensor.size, 0);
            assert.equal(networkSize(config).parameters, count);
        });
    }

    it('grows with the optimizer’s state and the batch', () => {
        const need = (raw: Record<string, string>): number => memoryNeed(readTrainConfig(raw));
        const { parameters, activations } = networkSize(readTrainConfig({}));
        const plain = need({ optimizer: 'sgd' });
        assert.equal(need({ optimizer: 'sgd', momentum: '0.9' }) - plain, 4 * parameters);
        assert.equal(need({}) - plain, 8 * parameters);
        assert.equal(need({ emaDecay: '0.9' }) - need({}), 4 * parameters);
        assert.equal(need({ batchSize: '164' }) - need({}), 400 * activations);
    });

    it('refuses what exceeds the memory, warns of what exceeds the free part', () => {
        const config = readTrainConfig({ hiddenSizes: '32768,32768' });
        assert.equal(checkMemory(config, { total: 64 * GIB, free: 32 * GIB }), undefined);
        assert.match(
            checkMemory(config, { total: 64 * GIB, free: 8 * GIB }) ?? '',
            /^training needs at least 16\.\d GiB of memory \(1,099,825,162 parameters .*\), 8\.0 GiB of 64\.0 GiB are free/,
        );
        assert.throws(
            () => checkMemory(config, { total: 16 * GIB, free: 8 * GIB }),
            (error) =>
                error instanceof UsageError &&
                error.message.includes('there are 16.0 GiB; choose smaller --hidden'),
        );
    });

    it('knows the machine', () => {
        const { total, free } = machineMemory();
        assert.ok(free > 0 && free <= total && total > GIB / 4 && total < 2 ** 50);
        assert.equal(checkMemory(readTrainConfig({}), { total, free: total }), undefined);
    });
});
