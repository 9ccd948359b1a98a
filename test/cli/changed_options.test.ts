import assert from 'node:assert/strict';

import { ChangedOptions } from '../../lib/cli/changed_options.js';
import { nn, optim, zeros } from '../../lib/index.js';

describe('options of a resumed run whose flags are others', () => {
    const config = { optimizer: 'sgd' as const, learningRate: 0.3, weightDecay: 0.2, momentum: 0.1 };
    const group = (changed: string[], resumed = true, saved?: Partial<typeof config>): number[] => {
        const optimizer = new optim.SGD([new nn.Parameter(zeros([1]))], { lr: 1, momentum: 0.9 });
        const schedule = new optim.StepLR(optimizer, { stepSize: 1 });
        schedule.step();
        const options = new ChangedOptions({ optimizer, schedule }, config, changed);
        if (saved) options.loadStateDict({ ...options.stateDict(), ...saved });
        options.onTrainBegin({ resumed });
        const [{ lr, weightDecay, momentum }] = optimizer.paramGroups;
        return [lr, weightDecay, momentum].map((x) => Number((x ?? NaN).toFixed(6)));
    };

    it('are those of the flags, the rate where its schedule has got to', () => {
        assert.deepEqual(group(['learningRate']), [0.03, 0, 0.9]);
        assert.deepEqual(group(['momentum', 'weightDecay', 'epochs']), [0.1, 0.2, 0.1]);
    });

    it('are all those of the flags where the optimizer is another one', () => {
        assert.deepEqual(group(['optimizer']), [0.03, 0.2, 0.1]);
    });

    it('are held against those of the checkpoint, not of the first part of the run', () => {
        assert.deepEqual(group(['learningRate'], true, {}), [0.1, 0, 0.9]);
        assert.deepEqual(group([], true, { learningRate: 0.7 }), [0.03, 0, 0.9]);
    });

    it('stay as the checkpoint has them where no flag differs, or nothing is resumed', () => {
        assert.deepEqual(group([]), [0.1, 0, 0.9]);
        assert.deepEqual(group(['learningRate'], false), [0.1, 0, 0.9]);
    });
});
