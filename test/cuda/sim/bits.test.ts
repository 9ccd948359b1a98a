import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as nativegrad from '../../../lib/index.js';
import type { DType, Tensor, optim } from '../../../lib/index.js';

type Library = typeof nativegrad;
type Make = (library: Library, parameters: Tensor[]) => optim.Optimizer;

const plugin = resolve('build-sim', 'libnativegrad_cuda_sim.so');

const optimizers: readonly (readonly [string, Make])[] = [
    ['SGD', ({ optim }, p) => new optim.SGD(p, { lr: 0.1, weightDecay: 0.01 })],
    ['SGD with momentum', ({ optim }, p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.3 })],
    ['SGD of Nesterov', ({ optim }, p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true })],
    ['Adam', ({ optim }, p) => new optim.Adam(p, { lr: 0.01, weightDecay: 0.1 })],
    ['AMSGrad', ({ optim }, p) => new optim.Adam(p, { lr: 0.01, amsgrad: true })],
    ['AdamW', ({ optim }, p) => new optim.AdamW(p, { lr: 0.01 })],
    ['RMSprop', ({ optim }, p) => new optim.RMSprop(p, { lr: 0.01 })],
    ['RMSprop, centered', ({ optim }, p) => new optim.RMSprop(p, { lr: 0.01, centered: true })],
    ['RMSprop with momentum', ({ optim }, p) => new optim.RMSprop(p, { lr: 0.01, momentum: 0.9 })],
    ['RMSprop with all', ({ optim }, p) => new optim.RMSprop(p, { lr: 0.01, momentum: 0.9, centered: true })],
];

/** What the GPU computes to the last bit as the CPU does. */
describe('the bits of the CPU on the simulator', () => {
    let library: Library;

    before(async () => {
        assert.ok(existsSync(plugin), `${plugin} is missing: npm run build:sim`);
        process.env.NATIVEGRAD_CUDA ??= plugin;
        library = await import('../../../lib/index.js');
    });

    const bits = (x: Tensor): unknown => x.to('cpu').toArray();

    function steps(make: Make, device: 'cpu' | 'cuda', dtype: DType): unknown[] {
        const { manualSeed, nn, randn } = library;
        manualSeed(1);
        const shapes = [[7], [33, 5], [1200], [3, 4, 5], [1]];
        const parameters = shapes.map(
            (shape) => new nn.Parameter(randn(shape, { dtype, device: 'cpu' }).to(device)),
        );
        const optimizer = make(library, parameters);
        for (let round = 0; round < 3; round++) {
            for (const p of parameters) p.grad = randn(p.shape, { dtype, device: 'cpu' }).to(device);
            optimizer.step();
        }
        return parameters.map((p) => bits(p.detach()));
    }

    for (const [name, make] of optimizers) {
        it(`${name} steps alike in float32 and float64`, () => {
            for (const dtype of ['float32', 'float64'] as const)
                assert.deepEqual(steps(make, 'cuda', dtype), steps(make, 'cpu', dtype));
        });
    }

    function draws(device: 'cpu' | 'cuda', dtype: DType, shape: number[]): unknown[] {
        const { dropout, manualSeed, rand, randn } = library;
        manualSeed(5);
        const made = [rand(shape, { dtype, device }), randn(shape, { dtype, device })];
        const normal = randn(shape, { dtype, device: 'cpu' }).to(device);
        return [...made, dropout(normal, 0.4), dropout(normal.transpose(0, 1), 0.4)].map(bits);
    }

    it('draws the same uniform numbers, normals and masks', () => {
        for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
            for (const shape of [
                [1, 1],
                [33, 5],
                [64, 32],
            ])
                assert.deepEqual(draws('cuda', dtype, shape), draws('cpu', dtype, shape), dtype);
        }
    });

    it('draws the same integers', () => {
        const { manualSeed, randint } = library;
        const [gpu, cpu] = (['cuda', 'cpu'] as const).map((device) => {
            manualSeed(5);
            return bits(randint(-5, 1000, [101], { device }));
        });
        assert.deepEqual(gpu, cpu);
    });
});
