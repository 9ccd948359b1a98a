import assert from 'node:assert/strict';
import { missingSamples, stemOf } from '../../scripts/check/missing_samples.js';

describe('missing samples', () => {
    it('names what no row runs, sorted and once', () => {
        const rows = [{ op: 'matmul' }, { op: 'slice', covers: ['slice_scatter'] }];
        const required = ['slice_scatter', 'tanh', 'matmul', 'add', 'tanh', 'slice'];
        assert.deepEqual(missingSamples(required, rows), ['add', 'tanh']);
    });

    it('takes a gradient check for a run of the backward kernel', () => {
        assert.deepEqual(missingSamples(['tanh', 'tanh_backward'], [{ op: 'tanh' }]), []);
        const rows = [{ op: 'floor', gradient: false }];
        assert.deepEqual(missingSamples(['floor', 'floor_backward'], rows), ['floor_backward']);
    });

    it('gives an op one stem in every layer', () => {
        assert.equal(stemOf('logSoftmax'), 'log_softmax');
        assert.equal(stemOf('maxPool2d'), 'max_pool2d');
        assert.equal(stemOf('matmul'), 'matmul');
    });
});
