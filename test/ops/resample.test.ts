import assert from 'node:assert/strict';
import { adaptiveAvgPool2d, arange, avgPool2d, interpolate, ones } from '../../lib/index.js';

describe('taps that are kept for their shape', () => {
    it('keep shapes, paddings and modes apart, however many there are', () => {
        for (let round = 0; round < 2; round++) {
            for (let size = 4; size < 80; size++) {
                const row = arange(size).to('float32').reshape(1, 1, 1, size);
                assert.ok(Math.abs(adaptiveAvgPool2d(row, 1).item() - (size - 1) / 2) < 1e-4);
                const x = ones([1, 1, 1, size], { requiresGrad: true });
                adaptiveAvgPool2d(x, [1, 2]).sum().backward();
                assert.ok(Math.abs((x.grad?.sum().item() ?? 0) - 2) < 1e-5);
            }
        }
        const x = ones([1, 1, 4, 4]);
        const corner = (countIncludePad: boolean): number =>
            avgPool2d(x, 2, { padding: 1, countIncludePad }).slice(2, 0, 1).slice(3, 0, 1).item();
        assert.deepEqual([corner(true), corner(false), corner(true)], [0.25, 1, 0.25]);
        const row = arange(2).to('float32').reshape(1, 1, 1, 2);
        const scaled = (alignCorners: boolean) =>
            interpolate(row, { size: [1, 4], mode: 'bilinear', alignCorners })
                .flatten()
                .toArray();
        assert.deepEqual(scaled(false), [0, 0.25, 0.75, 1]);
        assert.ok(Math.abs((scaled(true) as number[])[1] - 1 / 3) < 1e-6);
        assert.deepEqual(
            interpolate(row, { size: [1, 4] })
                .flatten()
                .toArray(),
            [0, 0, 1, 1],
        );
    });
});
