import { scope } from '../autograd/scope.js';
import { affineSample, tensor } from '../ops/index.js';
import { Generator } from '../ops/generator.js';
import { rand } from '../ops/random.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Batch } from './dataset.js';

export interface AffineAugmentation {
    /** Largest shift along each axis, in pixels. */
    shift?: number;
    /** Largest rotation either way, in degrees. */
    rotate?: number;
    /** Largest relative change of size either way: 0.1 gives factors from 0.9 to 1.1. */
    scale?: number;
    /** What moves in from outside; for normalised images the normalised background. Default 0. */
    background?: number;
    seed?: number;
}

const numbersPerImage = 4;

/** Maps [n, 2, 3] for `affineSample`: the inverse of scaling, then rotating, then shifting. */
function randomMaps(
    images: Tensor,
    options: Required<AffineAugmentation>,
    epoch: number,
    step: number,
): Tensor {
    const n = images.shape[0] ?? 0;
    const generator = new Generator(options.seed);
    generator.state = { seed: options.seed, offset: (epoch * 2 ** 20 + step) * 2 ** 16 };
    const draws = rand([n * numbersPerImage], { generator, dtype: 'float64', device: 'cpu' });
    // From [0, 1) to [-1, 1).
    const numbers = (draws.dataSync() as Float64Array).map((value) => 2 * value - 1);
    draws.dispose();
    const maps = new Float64Array(n * 6);
    for (let i = 0; i < n; i++) {
        const [right = 0, down = 0, turn = 0, grow = 0] = numbers.subarray(
            i * numbersPerImage,
            (i + 1) * numbersPerImage,
        );
        const angle = (turn * options.rotate * Math.PI) / 180;
        const factor = 1 / (1 + grow * options.scale);
        const [cos, sin] = [Math.cos(angle) * factor, Math.sin(angle) * factor];
        const [x, y] = [right * options.shift, down * options.shift];
        maps.set([cos, sin, -(cos * x + sin * y), -sin, cos, sin * x - cos * y], i * 6);
    }
    return tensor(maps, { device: images.device }).reshape([n, 2, 3]);
}

/**
 * A transform for `DataLoader` that shifts, rotates and scales every image of a batch at random, anew each epoch and the
 * same for the same seed. Images are [n, C, H, W].
 *
 * @throws RangeError for negative amounts, or a scale of 1 and above.
 */
export function randomAffine(
    augmentation: AffineAugmentation,
): (batch: Batch, epoch: number, step: number) => Batch {
    const options = { shift: 0, rotate: 0, scale: 0, background: 0, seed: 0, ...augmentation };
    for (const name of ['shift', 'rotate', 'scale'] as const) {
        const amount = options[name];
        if (!(amount >= 0) || (name === 'scale' && amount >= 1)) {
            throw new RangeError(
                `[randomAffine] ${name} must be ${name === 'scale' ? 'in [0, 1)' : 'at least 0'}, got ${amount}`,
            );
        }
    }
    return ([images, targets], epoch, step) => {
        const maps = randomMaps(images, options, epoch, step);
        const moved = scope(() => {
            if (options.background === 0) return affineSample(images, maps);
            return affineSample(images.sub(options.background), maps).add(options.background);
        });
        maps.dispose();
        return [moved, targets];
    };
}
