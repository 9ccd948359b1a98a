import assert from 'node:assert/strict';

import {
    ClassifierSpecError,
    flatFeatures,
    mnistSpec,
    parseClassifierSpec,
    storedElements,
} from '../../lib/train/classifier_spec.js';

const MLP = mnistSpec();
const CNN = mnistSpec({ architecture: 'cnn', useBatchNorm: true });

describe('classifier spec', () => {
    it('comes back from JSON as it was', () => {
        for (const spec of [MLP, CNN]) assert.deepEqual(parseClassifierSpec(JSON.stringify(spec)), spec);
    });

    it('counts features and elements', () => {
        assert.equal(flatFeatures(MLP), 784);
        assert.equal(flatFeatures(CNN), 3136);
        assert.equal(storedElements(MLP), 784 * 256 + 256 + 256 * 128 + 128 + 1290);
        // 421,834 parameters, of which 192 scales and shifts; and as many running means and variances.
        assert.equal(storedElements(CNN), 421_834 + 192);
    });

    const refused: [string, object, RegExp][] = [
        ['another architecture', { architecture: 'rnn' }, /architecture must be one of mlp, cnn, got "rnn"/],
        [
            'two axes',
            { inputShape: [28, 28] },
            /inputShape must be channels, height and width, got \[28,28\]/,
        ],
        ['four axes', { inputShape: [1, 1, 28, 28] }, /inputShape must be a list of at most 3/],
        ['no classes', { classes: 0 }, /classes must be a number from 1 to 65536, got 0/],
        ['half a class', { classes: 2.5 }, /classes must be an integer, got 2.5/],
        ['a size as text', { hiddenSizes: ['8'] }, /hiddenSizes must be sizes from 1 to 65536, got "8"/],
        ['too many layers', { hiddenSizes: new Array(65).fill(1) }, /at most 64/],
        ['a huge layer', { hiddenSizes: [2 ** 40] }, /sizes from 1 to 65536/],
        ['an even kernel', { kernelSize: 4 }, /kernelSize must be odd, got 4/],
        ['a switch as number', { useBatchNorm: 1 }, /useBatchNorm must be true or false, got 1/],
        ['dropout of 1', { dropoutRate: 1 }, /dropoutRate must be below 1/],
        ['std of 0', { std: 0 }, /std must be a number/],
        ['an MLP with convolutions', { convChannels: [8] }, /a mlp cannot have 1 convolution blocks/],
        ['a CNN without', { architecture: 'cnn' }, /a cnn cannot have 0 convolution blocks/],
        [
            'too many poolings',
            { architecture: 'cnn', convChannels: [1, 1, 1, 1, 1] },
            /5 poolings leave nothing/,
        ],
        ['an unknown field', { extra: 1 }, /unknown field "extra"/],
        ['null for a list', { hiddenSizes: null }, /hiddenSizes must be a list/],
    ];
    for (const [name, change, pattern] of refused) {
        it(`refuses ${name}`, () => {
            assert.throws(
                () => parseClassifierSpec(JSON.stringify({ ...MLP, ...change })),
                (error: unknown) => error instanceof ClassifierSpecError && pattern.test(error.message),
            );
        });
    }

    it('refuses a missing field, inherited fields and what is no object', () => {
        for (const name of Object.keys(MLP)) {
            const rest = Object.fromEntries(Object.entries(MLP).filter(([key]) => key !== name));
            assert.throws(
                () => parseClassifierSpec(JSON.stringify(rest)),
                new RegExp(`lacks the field ${name}`),
            );
        }
        for (const text of ['', '[]', 'null', '4', '{', '"mlp"']) {
            assert.throws(() => parseClassifierSpec(text), ClassifierSpecError);
        }
        assert.throws(() => parseClassifierSpec('{"__proto__":{"architecture":"mlp"}}'), ClassifierSpecError);
    });
});
