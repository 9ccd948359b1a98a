import { requireTensorList } from '../tensor/require_tensor.js';
import { fromStorage, type Tensor } from '../tensor/tensor.js';
import { isFloat } from '../tensor/dtype.js';
import { sameShape, shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import { withGradMode } from './grad_mode.js';
import { grad, setRequiresGrad } from './gradients.js';
import { scope } from './scope.js';

/** A function of tensors whose gradient is checked. It must be deterministic. */
export type CheckedFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface GradcheckOptions {
    /** Half the width of the central difference. Default 1e-6. */
    eps?: number;
    /** Largest absolute and relative difference that passes. Defaults 1e-5 and 1e-3. */
    atol?: number;
    rtol?: number;
    /**
     * Checks the derivatives along that many fixed, random-looking directions instead of those by each element, of inputs
     * with more elements than that: two evaluations per direction. PyTorch's fast_mode, for costly functions.
     */
    directions?: number;
}

/** Thrown by `gradcheck` for the element in which the two gradients differ most. */
export class GradcheckError extends Error {
    override name = 'GradcheckError';
}

/** Fixed weights in ±[0.5, 1.5]: the check differentiates the weighted sum of all outputs. */
function weightsFor(count: number, seed: number): Float64Array {
    return Float64Array.from({ length: count }, (_, i) => {
        const fraction = ((i + 1) * 0.6180339887498949 + seed * 0.7548776662466927) % 1;
        const wave = (fraction * 97) % 1;
        return wave < 0.5 ? -0.5 - fraction : 0.5 + fraction;
    });
}

function outputsOf(op: string, result: Tensor | readonly Tensor[]): Tensor[] {
    const outputs = Array.isArray(result) ? [...(result as readonly Tensor[])] : [result as Tensor];
    requireTensorList(op, 'what the function gives', outputs);
    const floats = outputs.filter((y) => isFloat(y.dtype));
    for (const y of floats) {
        if (y.dtype !== 'float64')
            throw new TypeError(`[${op}] the function gives ${y.dtype}; finite differences need float64`);
    }
    return floats;
}

function checkInputs(op: string, inputs: readonly Tensor[]): void {
    requireTensorList(op, 'the inputs', inputs);
    inputs.forEach((x, index) => {
        if (x.needsGrad && x.dtype !== 'float64') {
            throw new TypeError(
                `[${op}] input ${index} is ${x.dtype}; finite differences need float64: cast it with x.to('float64')`,
            );
        }
    });
    if (!inputs.some((x) => x.needsGrad))
        throw new Error(`[${op}] no input requires a gradient; make one with { requiresGrad: true }`);
}

/** sum over outputs and elements of weight * y, at the given values of one input. */
function weightedSum(
    body: CheckedFunction,
    inputs: readonly Tensor[],
    at: number,
    values: Float64Array,
): number {
    return scope(() => {
        const moved = inputs.map((x, index) => {
            if (index !== at) return x;
            const copy = fromStorage(values, x.shape, 'float64');
            setRequiresGrad(copy, true);
            return copy;
        });
        let total = 0;
        outputsOf('gradcheck', body(...moved)).forEach((y, index) => {
            const weights = weightsFor(y.size, index);
            y.dataSync().forEach((value: number | bigint, i: number) => {
                total += (weights[i] ?? 0) * Number(value);
            });
        });
        return total;
    });
}

function analyticGradients(body: CheckedFunction, inputs: readonly Tensor[]): (Float64Array | null)[] {
    const wanted = inputs.filter((x) => x.needsGrad);
    return scope(() => {
        const outputs = outputsOf('gradcheck', body(...inputs));
        const recorded = outputs.filter((y) => y.needsGrad);
        if (recorded.length === 0)
            throw new Error('[gradcheck] no output depends on an input that requires a gradient');
        const weights = outputs.map((y, index) => weightsFor(y.size, index));
        const gradients = outputs.flatMap((y, index) =>
            y.needsGrad ? [fromStorage(weights[index] ?? new Float64Array(), y.shape, 'float64')] : [],
        );
        const results = grad(recorded, wanted, { gradients });
        return inputs.map((x) => {
            if (!x.needsGrad) return null;
            const gradient = results[wanted.indexOf(x)];
            if (!gradient) return new Float64Array(x.size);
            requireShape(gradient, x.shape);
            return Float64Array.from(gradient.dataSync(), Number);
        });
    });
}

function requireShape(gradient: Tensor, shape: Shape): void {
    if (!sameShape(gradient.shape, shape)) {
        throw new GradcheckError(
            `[gradcheck] a gradient has shape ${shapeText(gradient.shape)}, its input ${shapeText(shape)}`,
        );
    }
}

function position(flat: number, shape: Shape): number[] {
    const index: number[] = [];
    for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
        const size = shape[axis] ?? 1;
        index.unshift(rest % size);
        rest = Math.floor(rest / size);
    }
    return index;
}

/**
 * Compares the gradient of `body` with central differences, (f(x + eps) - f(x - eps)) / 2 eps, for every element of every
 * input that requires a gradient. Several outputs, and outputs with several elements, are weighted and summed.
 *
 * Inputs and float outputs must be float64; defaults are PyTorch's: |analytic - numeric| <= atol + rtol |numeric|.
 *
 * @returns true; it never returns false.
 * @throws GradcheckError that names input, element and both values; TypeError for inputs of another dtype; RangeError for
 * less than one direction; Error when no input requires a gradient or the function is not deterministic.
 * @example
 * import { gradcheck, tensor } from 'nativegrad';
 * const x = tensor([[0.5, -1.5]], { dtype: 'float64', requiresGrad: true });
 * gradcheck((a) => a.mul(a).sum(), [x]);
 */
export function gradcheck(
    body: CheckedFunction,
    inputs: readonly Tensor[],
    options: GradcheckOptions = {},
): true {
    const { eps = 1e-6, atol = 1e-5, rtol = 1e-3, directions = Infinity } = options;
    if (!(directions >= 1) || (directions !== Infinity && !Number.isInteger(directions)))
        throw new RangeError(`[gradcheck] directions must be a positive integer, not ${directions}`);
    checkInputs('gradcheck', inputs);
    withGradMode(true, () => {
        const analytic = analyticGradients(body, inputs);
        analytic.forEach((gradient, index) => {
            if (gradient) compareInput(body, inputs, index, gradient, { eps, atol, rtol, directions });
        });
    });
    return true;
}

/** A way to leave the point: its derivative according to the gradient, and how to stand `distance` from it. */
interface Probe {
    readonly analytic: number;
    readonly derivative: string;
    move(distance: number): void;
    moveBack(): void;
    where(): string;
}

function elementProbes(values: Float64Array, shape: Shape, analytic: Float64Array): Probe[] {
    return Array.from(values, (value, i) => ({
        analytic: analytic[i] ?? 0,
        derivative: 'gradient',
        move: (distance) => {
            values[i] = value + distance;
        },
        moveBack: () => {
            values[i] = value;
        },
        where: () => `element ${shapeText(position(i, shape))} (value ${value})`,
    }));
}

function directionProbes(values: Float64Array, count: number, analytic: Float64Array): Probe[] {
    const point = values.slice();
    return Array.from({ length: count }, (_, index) => {
        const direction = weightsFor(values.length, index + 11);
        return {
            analytic: analytic.reduce((sum, slope, i) => sum + slope * (direction[i] ?? 0), 0),
            derivative: 'derivative',
            move: (distance) => {
                direction.forEach((step, i) => (values[i] = (point[i] ?? 0) + distance * step));
            },
            moveBack: () => {
                values.set(point);
            },
            where: () => `direction ${index + 1} of ${count}`,
        };
    });
}

function compareInput(
    body: CheckedFunction,
    inputs: readonly Tensor[],
    index: number,
    analytic: Float64Array,
    { eps, atol, rtol, directions }: Required<GradcheckOptions>,
): void {
    const x = inputs[index];
    if (!x) return;
    const values = Float64Array.from(x.dataSync(), Number);
    const still = [0, 1].map(() => weightedSum(body, inputs, index, values));
    if (!Object.is(still[0], still[1]))
        throw new Error('[gradcheck] the function gives different results for the same inputs');
    const probes =
        values.length > directions
            ? directionProbes(values, directions, analytic)
            : elementProbes(values, x.shape, analytic);
    let worst: { excess: number; message: string } | null = null;
    for (const probe of probes) {
        const [above, below] = [eps, -eps].map((distance) => {
            probe.move(distance);
            return weightedSum(body, inputs, index, values);
        });
        probe.moveBack();
        const numeric = ((above ?? NaN) - (below ?? NaN)) / (2 * eps);
        const excess = Math.abs(probe.analytic - numeric) - (atol + rtol * Math.abs(numeric));
        if (excess <= 0 || (worst !== null && excess <= worst.excess)) continue;
        const message =
            `[gradcheck] input ${index} of shape ${shapeText(x.shape)}, ${probe.where()}: ` +
            `analytic ${probe.derivative} ${probe.analytic}, numeric ${numeric}`;
        worst = { excess: Number.isNaN(excess) ? Infinity : excess, message };
    }
    if (worst) throw new GradcheckError(worst.message);
}

/**
 * Like `gradcheck`, for second derivatives: checks the gradient of (x, v) -> the gradient of `body` at x with the output
 * gradients v.
 *
 * @throws GradcheckError as `gradcheck` does; Error when an op on the way has no second derivative.
 * @example
 * import { gradgradcheck, tensor } from 'nativegrad';
 * const x = tensor([0.5, -1.5], { dtype: 'float64', requiresGrad: true });
 * gradgradcheck((a) => a.mul(a).mul(a), [x]);
 */
export function gradgradcheck(
    body: CheckedFunction,
    inputs: readonly Tensor[],
    options: GradcheckOptions = {},
): true {
    checkInputs('gradgradcheck', inputs);
    const count = inputs.length;
    const shapes = withGradMode(true, () =>
        scope(() => outputsOf('gradgradcheck', body(...inputs)).map((y) => (y.needsGrad ? y.shape : null))),
    );
    const weights = shapes
        .filter((shape) => shape !== null)
        .map((shape, index) => {
            const v = fromStorage(weightsFor(sizeOf(shape), index + 7), shape, 'float64');
            setRequiresGrad(v, true);
            return v;
        });
    const first: CheckedFunction = (...both) => {
        const xs = both.slice(0, count);
        const outputs = outputsOf('gradgradcheck', body(...xs)).filter((y) => y.needsGrad);
        const gradients = grad(
            outputs,
            xs.filter((x) => x.needsGrad),
            { gradients: both.slice(count), createGraph: true },
        );
        return gradients.filter((gradient) => gradient !== null);
    };
    try {
        return gradcheck(first, [...inputs, ...weights], options);
    } finally {
        for (const v of weights) v.dispose();
    }
}
