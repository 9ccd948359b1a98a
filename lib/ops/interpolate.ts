import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireFloat, requireTensor } from './convert.js';
import { installMethods } from './methods.js';
import { pairOf, type Pair } from './pair.js';
import { resample, tapsOf, type Tap, type Taps } from './resample.js';

export interface InterpolateOptions {
    /** Rows and columns of the result; give this or `scaleFactor`. */
    readonly size?: Pair;
    /** Factor of each axis; the size is rounded down. */
    readonly scaleFactor?: number | readonly number[];
    /** Default 'nearest'. */
    readonly mode?: 'nearest' | 'bilinear';
    /** Bilinear only: the corner pixels' centres keep their place, instead of the image's edges. Default false. */
    readonly alignCorners?: boolean;
}

const op = 'interpolate';

interface AxisScale {
    readonly inputs: number;
    readonly outputs: number;
    /** Input pixels per output pixel. */
    readonly step: number;
}

function axisScales(x: Tensor, { size, scaleFactor }: InterpolateOptions): AxisScale[] {
    if ((size === undefined) === (scaleFactor === undefined))
        throw new RangeError(`[${op}] give either size or scaleFactor`);
    const sizes = size === undefined ? null : pairOf(op, 'size', size, 1);
    const factors = typeof scaleFactor === 'number' ? [scaleFactor, scaleFactor] : scaleFactor;
    if (factors && (factors.length !== 2 || !factors.every((f) => Number.isFinite(f) && f > 0))) {
        throw new RangeError(
            `[${op}] scaleFactor must be a positive number or two of them, got ${shapeText(factors)}`,
        );
    }
    return [0, 1].map((axis) => {
        const inputs = x.shape[2 + axis] ?? 0;
        const factor = factors?.[axis] ?? 1;
        const outputs = sizes?.[axis] ?? Math.floor(inputs * factor);
        if (outputs < 1 || inputs < 1) {
            throw new RangeError(
                `[${op}] input ${shapeText(x.shape)} and result need at least one pixel along axis ${2 + axis}`,
            );
        }
        return { inputs, outputs, step: factors ? 1 / factor : inputs / outputs };
    });
}

function nearest({ inputs, outputs, step }: AxisScale): Taps {
    // In float32, as PyTorch finds the pixel.
    const scale = Math.fround(step);
    return Array.from({ length: outputs }, (_, i) => {
        const position = Math.min(Math.floor(Math.fround(i * scale)), inputs - 1);
        return [{ position, weight: 1 }];
    });
}

function linear({ inputs, outputs, step }: AxisScale, alignCorners: boolean): Taps {
    const cornerStep = outputs > 1 ? (inputs - 1) / (outputs - 1) : 0;
    return Array.from({ length: outputs }, (_, i): Tap[] => {
        const place = alignCorners ? i * cornerStep : Math.max((i + 0.5) * step - 0.5, 0);
        const position = Math.min(Math.floor(place), inputs - 1);
        const share = Math.min(place - position, 1);
        if (position === inputs - 1) return [{ position, weight: 1 }];
        return [
            { position, weight: 1 - share },
            { position: position + 1, weight: share },
        ];
    });
}

/**
 * Resizes images: each pixel of the result takes the nearest pixel of the input, or the bilinear mean of four.
 *
 * x [N, C, H, W] -> [N, C, H', W']. Float dtypes.
 *
 * @throws RangeError for a wrong size, scale or mode, or alignCorners with 'nearest'.
 * @example
 * import { interpolate, ones } from 'nativegrad';
 * console.log(interpolate(ones([1, 3, 8, 8]), { scaleFactor: 2, mode: 'bilinear' }).shape); // [1, 3, 16, 16]
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
    requireTensor(op, x);
    requireFloat(op, x);
    if (x.rank !== 4)
        throw new RangeError(`[${op}] expects an input [N, C, H, W], got ${shapeText(x.shape)}`);
    const mode = options.mode ?? 'nearest';
    const alignCorners = options.alignCorners ?? false;
    if (mode !== 'nearest' && mode !== 'bilinear') {
        throw new RangeError(`[${op}] mode must be 'nearest' or 'bilinear', got '${String(mode)}'`);
    }
    if (mode === 'nearest' && alignCorners)
        throw new RangeError(`[${op}] alignCorners goes with mode 'bilinear' only`);
    const [rows, columns] = axisScales(x, options).map((scale) =>
        tapsOf([mode, alignCorners, scale.inputs, scale.outputs, scale.step].join(), () =>
            mode === 'nearest' ? nearest(scale) : linear(scale, alignCorners),
        ),
    );
    return resample(x, rows ?? [], columns ?? []);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        interpolate(options: InterpolateOptions): Tensor;
    }
}

installMethods({ interpolate });
