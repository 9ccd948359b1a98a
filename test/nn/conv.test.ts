import assert from 'node:assert/strict';
import { nn, ones, zeros } from '../../lib/index.js';

describe('convolution layers', () => {
    it('have the weights of PyTorch, uniform within 1 / sqrt(fan in)', () => {
        const layer = new nn.Conv2d(4, 6, [3, 2], { groups: 2 });
        assert.deepEqual(layer.weight.shape, [6, 2, 3, 2]);
        assert.deepEqual([...layer.stateDict().keys()], ['weight', 'bias']);
        const bound = 1 / Math.sqrt(2 * 3 * 2);
        const values = Array.from(layer.weight.dataSync(), Number);
        assert.ok(values.every((value) => Math.abs(value) <= bound));
        assert.ok(Math.max(...values) > 0.7 * bound);
        assert.deepEqual(new nn.ConvTranspose2d(4, 6, 3).weight.shape, [4, 6, 3, 3]);
        assert.deepEqual(new nn.Conv1d(4, 6, 3, { bias: false }).bias, null);
    });

    it('give the shapes of PyTorch, with and without a batch dimension', () => {
        const layer = new nn.Conv2d(3, 8, 3, { stride: 2, padding: 1 });
        assert.deepEqual(layer.forward(zeros([2, 3, 9, 7])).shape, [2, 8, 5, 4]);
        assert.deepEqual(layer.forward(zeros([3, 9, 7])).shape, [8, 5, 4]);
        assert.deepEqual(
            new nn.Conv1d(3, 5, 3, { padding: 'same' }).forward(zeros([2, 3, 9])).shape,
            [2, 5, 9],
        );
        const up = new nn.ConvTranspose2d(3, 2, 2, { stride: 2, outputPadding: 1 });
        assert.deepEqual(up.forward(zeros([1, 3, 4, 4])).shape, [1, 2, 9, 9]);
    });

    it('learn', () => {
        const layer = new nn.Conv2d(1, 2, 2);
        layer
            .forward(ones([3, 1, 3, 3]))
            .sum()
            .backward();
        assert.deepEqual(layer.bias!.grad!.toArray(), [12, 12]);
        assert.deepEqual(layer.weight.grad!.shape, [2, 1, 2, 2]);
    });

    it('name themselves, the shapes and the likely fix', () => {
        const model = new nn.Sequential(new nn.Conv2d(1, 4, 3), new nn.Conv2d(8, 4, 3));
        assert.throws(
            () => model.forward(zeros([64, 28, 28])),
            /Conv2d '0': expected \[N, 1, H, W\], got \[64, 28, 28\]; is the channel dimension missing\?/,
        );
        assert.throws(
            () => model.forward(zeros([2, 1, 8, 8])),
            /Conv2d '1': expected \[N, 8, H, W\], got \[2, 4, 6, 6\]; make inChannels 4/,
        );
        assert.throws(() => new nn.Conv2d(3, 4, 3).forward(zeros([2, 8, 8, 3])), /channels come second/);
        assert.throws(() => model.forward(zeros([2, 1, 2, 2])), /Conv2d '0': \[conv2d\]/);
    });

    it('refuse options that do not fit', () => {
        assert.throws(() => new nn.Conv2d(3, 4, 3, { groups: 2 }), /groups must divide/);
        assert.throws(
            () => new nn.Conv2d(3, 4, [3, 3, 3]),
            /kernelSize must be an integer of at least 1 or two of them/,
        );
        assert.throws(() => new nn.Conv2d(3, 4, 0), /kernelSize must be an integer of at least 1/);
        assert.throws(
            () => new nn.Conv2d(3, 4, 3, { stride: 0 }),
            /Conv2d: stride must be an integer of at least 1/,
        );
        assert.throws(
            () => new nn.Conv2d(3, 4, 3, { dilation: [1, 0] }),
            /Conv2d: dilation must be .*got \[1, 0\]/,
        );
        assert.throws(
            () => new nn.Conv2d(3, 4, 3, { padding: -1 }),
            /Conv2d: padding must be .*at least 0.*got -1/,
        );
        assert.throws(
            () => new nn.Conv2d(3, 4, 3, { padding: 'same', stride: 2 }),
            /padding 'same' needs a stride of 1/,
        );
        assert.throws(
            () => new nn.Conv1d(3, 4, 3, { stride: 0 }),
            /Conv1d: stride must be an integer of at least 1, got 0/,
        );
        assert.throws(
            () => new nn.ConvTranspose2d(3, 4, 3, { stride: 2, outputPadding: 2 }),
            /ConvTranspose2d: outputPadding \[2, 2\] must be smaller than stride \[2, 2\] or dilation \[1, 1\]/,
        );
        assert.throws(
            () => new nn.ConvTranspose2d(3, 4, 3, { groups: 0 }),
            /groups must be a positive integer/,
        );
    });

    it('print their options', () => {
        assert.equal(
            String(new nn.Conv2d(1, 2, 3, { padding: 1, bias: false })),
            'Conv2d(1, 2, 3, padding: 1, bias: false)',
        );
    });
});

describe('pooling layers', () => {
    it('refuse windows that cannot be, when they are made', () => {
        assert.throws(() => new nn.MaxPool2d(0), /\[MaxPool2d\] kernelSize must be an integer of at least 1/);
        assert.throws(() => new nn.MaxPool2d(2, { stride: 0 }), /\[MaxPool2d\] stride must be/);
        assert.throws(() => new nn.MaxPool2d(2, { dilation: 0 }), /\[MaxPool2d\] dilation must be/);
        assert.throws(
            () => new nn.AvgPool2d(2, { padding: 2 }),
            /\[AvgPool2d\] padding \[2, 2\] is more than half/,
        );
        assert.throws(() => new nn.AdaptiveAvgPool2d([1, 0]), /\[AdaptiveAvgPool2d\] outputSize must be/);
    });

    it('pool images with and without a batch dimension', () => {
        assert.deepEqual(new nn.MaxPool2d(2).forward(zeros([2, 3, 5, 4])).shape, [2, 3, 2, 2]);
        assert.deepEqual(new nn.MaxPool2d(3, { stride: 1 }).forward(zeros([3, 5, 4])).shape, [3, 3, 2]);
        assert.deepEqual(new nn.AvgPool2d([1, 2]).forward(zeros([2, 3, 5, 4])).shape, [2, 3, 5, 2]);
        assert.deepEqual(new nn.AdaptiveAvgPool2d([1, 2]).forward(zeros([3, 5, 4])).shape, [3, 1, 2]);
        assert.throws(
            () => new nn.MaxPool2d(2).forward(zeros([4, 9])),
            /MaxPool2d: expected \[N, C, H, W\], got \[4, 9\]; pool before Flatten/,
        );
    });
});
