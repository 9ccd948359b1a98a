import assert from 'node:assert/strict';
import {
    defineOp,
    fromTypedArray,
    full,
    gradcheck,
    GradcheckError,
    gradgradcheck,
    memory,
    ones,
    tensor,
    type Tensor,
} from '../../lib/index.js';

const doubled = (wrong: number) =>
    defineOp({
        name: 'doubled',
        forward: (context, [x]) => {
            context.save(x);
            return x.mul(2);
        },
        backward: (dy) => [dy.mul(2 + wrong)],
    });

const input = () =>
    tensor(
        [
            [0.5, -1.5, 2],
            [1, 3, -0.25],
        ],
        { dtype: 'float64', requiresGrad: true },
    );

describe('gradcheck', () => {
    it('accepts right gradients of several inputs and outputs', () => {
        const x = input();
        const y = tensor([2, -3, 0.5], { dtype: 'float64', requiresGrad: true });
        assert.equal(
            gradcheck((a, b) => [a.mul(b), a.sum(), b.div(2)], [x, y]),
            true,
        );
        assert.equal(
            gradgradcheck((a, b) => a.mul(b).mul(a), [x, y]),
            true,
        );
        assert.equal(x.grad, null);
    });

    it('names the element and both values of a wrong gradient', () => {
        const x = input();
        const wrong = doubled(0.01);
        assert.throws(
            () => gradcheck((a) => wrong([a], {}), [x]),
            (error) =>
                error instanceof GradcheckError &&
                /input 0 of shape \[2, 3\], element \[\d, \d\] \(value \S+\): analytic gradient \S+, numeric \S+$/.test(
                    error.message,
                ),
        );
        assert.equal(
            gradcheck((a) => doubled(0)([a], {}), [x]),
            true,
        );
    });

    it('passes what lies inside the tolerance that was given', () => {
        const close = doubled(0.01);
        assert.equal(
            gradcheck((a) => close([a], {}), [input()], { rtol: 0.02 }),
            true,
        );
    });

    it('finds a gradient that ignores an input', () => {
        assert.throws(() => gradcheck((a) => a.detach().mul(2).add(a), [input()]), /analytic gradient/);
    });

    it('finds a wrong gradient by a few directions, with fewer evaluations', () => {
        let calls = 0;
        const counted = (wrong: number) => (a: Tensor) => {
            calls += 1;
            return doubled(wrong)([a], {});
        };
        const large = () => full([40, 5], 0.5, { dtype: 'float64', requiresGrad: true });
        assert.equal(gradcheck(counted(0), [large()], { directions: 3 }), true);
        assert.equal(calls, 1 + 2 + 2 * 3);
        assert.throws(
            () => gradcheck(counted(0.01), [large()], { directions: 3 }),
            /input 0 of shape \[40, 5\], direction \d of 3: analytic derivative \S+, numeric \S+$/,
        );
        const slopes = fromTypedArray(
            Float64Array.from({ length: 200 }, (_, i) => (i === 107 ? 3 : 2)),
            [40, 5],
        );
        const wrongOnce = defineOp({
            name: 'wrong_once',
            forward: (_, [x]) => x.mul(2),
            backward: (dy) => [dy.mul(slopes)],
        });
        assert.throws(() => gradcheck((a) => wrongOnce([a], {}), [large()], { directions: 3 }), /direction/);
    });

    it('checks the elements of an input that has no more of them than directions', () => {
        assert.throws(
            () => gradcheck((a) => doubled(1)([a], {}), [input()], { directions: 6 }),
            /element \[\d, \d\]/,
        );
        for (const directions of [0, 1.5, NaN])
            assert.throws(
                () => gradcheck((a) => a, [input()], { directions }),
                /^RangeError: \[gradcheck\] directions must be a positive integer, not/,
            );
    });

    it('refuses other dtypes, inputs without gradient, and functions that change', () => {
        assert.throws(
            () => gradcheck((a) => a, [ones([2], { requiresGrad: true })]),
            /\[gradcheck\] input 0 is float32.*float64/,
        );
        assert.throws(
            () => gradcheck((a) => a.to('float32'), [input()]),
            /\[gradcheck\] the function gives float32/,
        );
        assert.throws(() => gradcheck((a) => a, [ones([2])]), /no input requires a gradient/);
        let calls = 0;
        assert.throws(() => gradcheck((a) => a.mul(++calls), [input()]), /different results/);
    });

    it('refuses second derivatives that do not exist', () => {
        assert.throws(
            () => gradgradcheck((a) => doubled(0)([a], {}), [input()]),
            /\[doubled\] has no second derivative/,
        );
    });

    it('frees what it makes', () => {
        const x = input();
        gradcheck((a) => a.mul(a), [x]);
        const before = memory().tensors;
        gradcheck((a) => a.mul(a), [x]);
        gradgradcheck((a) => a.mul(a).mul(a), [x]);
        assert.equal(memory().tensors, before);
    });
});
