import { binaryCode, compareCode, reduceCode, run, unaryCode, type ReduceName } from '../native/call.js';
import type { Scalar } from '../native/tracer.js';
import { defaultDevice, type Device } from '../tensor/device.js';
import { dtypeCode, type DType } from '../tensor/dtype.js';
import { broadcastShapes, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** A tensor, or a number that stands for a 0-d tensor without a dtype of its own. */
export type Operand = Tensor | number;

/** Runs an op with one new output. */
export function runNew(
    op: string,
    inputs: readonly Operand[],
    shape: Shape,
    dtype: DType,
    parameters: readonly Scalar[] = [],
    label = op,
): Tensor {
    const out = new Tensor(shape, dtype);
    run(op, inputs, [out], parameters, label);
    return out;
}

/** As `runNew`, for ops without tensors among their inputs, which name the device. */
export function makeOn(
    device: Device | undefined,
    op: string,
    shape: Shape,
    dtype: DType,
    parameters: readonly Scalar[],
    label = op,
): Tensor {
    const out = new Tensor(shape, dtype, { device: device ?? defaultDevice() });
    run(op, [], [out], parameters, label);
    return out;
}

/** out = f(x), elementwise, computed in `dtype`; `p0`, `p1` are the function's constants. */
export function unaryKernel(name: string, x: Tensor, dtype: DType = x.dtype, p0 = 0, p1 = 0): Tensor {
    return runNew('unary', [x], x.shape, dtype, [unaryCode(name), p0, p1], name);
}

/** The shape that two operands broadcast to. */
export function operandShape(op: string, a: Operand, b: Operand): Shape {
    if (typeof a === 'number') return typeof b === 'number' ? [] : b.shape;
    return typeof b === 'number' ? a.shape : broadcastShapes(op, a.shape, b.shape);
}

/** out = f(a, b), broadcast, computed in `dtype`. */
export function binaryKernel(name: string, a: Operand, b: Operand, dtype: DType, p0 = 0, p1 = 0): Tensor {
    return runNew('binary', [a, b], operandShape(name, a, b), dtype, [binaryCode(name), p0, p1], name);
}

function firstDtype(a: Operand, b: Operand): DType {
    if (typeof a !== 'number') return a.dtype;
    return typeof b === 'number' ? 'float64' : b.dtype;
}

/** Comparisons of elementwise_table.def. */
export type CompareName =
    'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'logical_and' | 'logical_or' | 'logical_xor';

/** out = a ? b, broadcast, as bool; both are compared in `dtype`, by default that of the first tensor. */
export function compareKernel(
    name: CompareName,
    a: Operand,
    b: Operand,
    dtype: DType = firstDtype(a, b),
): Tensor {
    const parameters = [compareCode(name), dtypeCode(dtype)];
    return runNew('compare', [a, b], operandShape(name, a, b), 'bool', parameters, name);
}

/** Row-major copy, in another dtype if asked. */
export function copyKernel(x: Tensor, dtype: DType = x.dtype): Tensor {
    return runNew('contiguous', [x], x.shape, dtype);
}

export type { ReduceName };

/** Shape without the axes, or with size 1 there. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
    if (keepDims) return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    return shape.filter((_, axis) => !axes.includes(axis));
}

export function reduceKernel(
    name: ReduceName,
    x: Tensor,
    axes: readonly number[],
    keepDims: boolean,
    dtype: DType = x.dtype,
    p0 = 0,
): Tensor {
    const parameters = [reduceCode(name), p0, axes.length, ...axes];
    return runNew('reduce', [x], reducedShape(x.shape, axes, keepDims), dtype, parameters, name);
}

/** One result over all elements. */
export function fullReduceKernel(name: ReduceName, x: Tensor, dtype: DType = x.dtype): Tensor {
    return reduceKernel(
        name,
        x,
        x.shape.map((_, axis) => axis),
        false,
        dtype,
    );
}
