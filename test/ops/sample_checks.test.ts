import assert from 'node:assert/strict';
import { defineOp, keep, ones, type Tensor } from '../../lib/index.js';
import type { OpSample } from './sample.js';
import {
    checkDtypes,
    checkGradient,
    checkOverwrites,
    checkReference,
    checkViews,
    checkWrong,
    checkZeroSizes,
    instructionSets,
} from './sample_checks.js';

const doubled: OpSample = {
    op: 'doubled',
    inputs: [{ shape: [3, 4] }],
    run: (x) => x.mul(2),
    reference: ({ shape, data }) => ({ shape, data: data.map((value) => 2 * value) }),
    secondOrder: true,
};

// The driver must be able to fail: each of these ops is wrong in one way.
describe('sample checks', () => {
    it('accept a right op', () => {
        checkReference(doubled);
        checkDtypes(doubled);
        checkViews(doubled);
        checkOverwrites(doubled);
        checkGradient(doubled);
        checkZeroSizes(doubled, [[0, 4]]);
    });

    it('find a wrong value', () => {
        assert.throws(
            () => checkReference({ ...doubled, run: (x) => x.mul(2.000001) }),
            /reference: 12 of 12/,
        );
    });

    it('find a wrong shape', () => {
        assert.throws(() => checkReference({ ...doubled, run: (x) => x.mul(2).flatten() }), /shape/);
    });

    it('find an input that was changed', () => {
        assert.throws(() => checkReference({ ...doubled, run: (x) => x.mul_(2) }), /input 0 was changed/);
    });

    it('find a dtype with other values', () => {
        const run = (x: Tensor): Tensor => x.mul(x.dtype === 'float32' ? 2.0001 : 2);
        assert.throws(() => checkDtypes({ ...doubled, run }), new RegExp(`float32 on ${instructionSets[0]}`));
    });

    it('find other values for other strides', () => {
        const run = (x: Tensor): Tensor => (x.isContiguous ? x.mul(2) : x.mul(2.0001));
        assert.throws(() => checkViews({ ...doubled, run }), /inputs transposed/);
    });

    it('find results that depend on what the memory held', () => {
        let calls = 0;
        const run = (x: Tensor): Tensor => x.mul(++calls);
        assert.throws(() => checkOverwrites({ ...doubled, gradient: false, run }), /memory that held NaN/);
    });

    it('find a wrong gradient and a wrong second derivative', () => {
        const wrong = defineOp({
            name: 'wrong',
            forward: (context, [x]) => {
                context.save(x);
                return x.mul(x);
            },
            backward: (dy, { saved: [x] }) => [dy.mul(x.detach()).mul(2)],
            differentiable: true,
        });
        const first: OpSample = { op: 'wrong', inputs: [{ shape: [3] }], run: (x) => wrong([x], {}) };
        checkGradient(first);
        assert.throws(() => checkGradient({ ...first, secondOrder: true }), /analytic gradient/);
        assert.throws(() => checkGradient({ ...first, run: (x) => wrong([x], {}).mul(x.detach()) }));
    });

    it('find a call that is not refused, has another message, or keeps memory', () => {
        assert.throws(() => checkWrong(() => ones([2]).add(1), /./), /Missing expected exception/);
        assert.throws(() => checkWrong(() => ones([2]).add(ones([3])), /\[sub\]/), /did not match/);
        assert.throws(() => {
            checkWrong(() => {
                keep(ones([100]));
                throw new Error('[op] refused');
            }, /refused/);
        }, /must not keep memory/);
    });
});
