import { defineOp } from '../autograd/define_op.js';
import { moveTo } from '../native/call.js';
import { CaptureError, currentCallerLine } from '../native/capture_error.js';
import { activeTracer } from '../native/tracer.js';
import { deviceCode, deviceName, isDevice, requireTarget, type Device } from '../tensor/device.js';
import { isFloat, category, requireDtype, promote, type DType } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { isDense, sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { copyKernel, runNew, type Operand } from './kernels.js';

export { requireTensor };

const castOp = defineOp<readonly [Tensor], { dtype: DType }>({
    name: 'cast',
    forward: (_, [x], { dtype }) => runNew('copy', [x], x.shape, dtype),
    // The tape casts the gradient back to the input's dtype.
    backward: (dy) => [dy],
    differentiable: true,
});

/** x in another dtype; x itself where it has that dtype already. Floats become integers by truncation. */
export function cast(x: Tensor, dtype: DType): Tensor {
    requireTensor('cast', x);
    requireDtype('cast', dtype);
    return x.dtype === dtype ? x : castOp([x], { dtype });
}

const moveOp = defineOp<readonly [Tensor], { device: Device; from: Device }>({
    name: 'to',
    forward: (_, [x], { device }) => {
        const dense = isDense(x.shape, x.strides) ? x : copyKernel(x);
        const moved = new Tensor(x.shape, x.dtype, { strides: dense.strides, device });
        moveTo(moved, dense);
        if (dense !== x) dense.dispose();
        return moved;
    },
    backward: (dy, { options: { from } }) => [move(dy, from)],
    differentiable: true,
});

/**
 * @internal x on another device; x itself where it lies there already.
 *
 * @throws CaptureError in a captured step, whose program runs on one device.
 */
export function move(x: Tensor, device: Device): Tensor {
    const code = deviceCode('to', device);
    if (code === x.deviceCode) return x;
    if (activeTracer()) {
        const place = currentCallerLine();
        throw new CaptureError(
            `[capture] a tensor of shape ${shapeText(x.shape)} on ${x.device} is used on ${deviceName(code)}` +
                `${place === '' ? '' : ` at ${place}`}; a captured step works on one device: move the tensor there ` +
                `before the step, with x.to('${deviceName(code)}')`,
        );
    }
    return moveOp([x], { device, from: x.device });
}

/** Whether x is a single number on the CPU where `other` lies on a GPU. */
function isScalarFor(x: Operand, other: Operand): x is Tensor {
    if (typeof x === 'number' || typeof other === 'number') return false;
    return x.deviceCode === 0 && x.rank === 0 && other.deviceCode > 0;
}

/**
 * @internal An operand of an elementwise op for use with `other`: a 0-d tensor on the CPU goes to the GPU of a tensor there, as in
 * PyTorch, and its gradient comes back; everything else stays where it is.
 */
export function beside(x: Operand, other: Operand): Operand {
    return isScalarFor(x, other) && typeof other !== 'number' ? move(x, other.device) : x;
}

/**
 * x in another dtype, or on another device, or both; x itself where nothing changes. Floats become integers by truncation.
 * Differentiable: the gradient comes back in x's dtype, on its device.
 *
 * @throws TypeError for an unknown dtype or device; CudaError where CUDA cannot be used.
 * @example
 * import { ones } from 'nativegrad';
 * console.log(ones([2]).to('float64').to('cpu').dtype); // float64
 */
export function to(x: Tensor, target: DType | Device, dtype?: DType): Tensor {
    requireTensor('to', x);
    requireTarget('to', target);
    if (!isDevice(target)) return cast(x, target);
    return move(dtype === undefined ? x : cast(x, dtype), target);
}

const cloneOp = defineOp({
    name: 'clone',
    forward: (_, [x]) => runNew('copy', [x], x.shape, x.dtype),
    backward: (dy) => [dy],
    differentiable: true,
});

/** A copy with storage of its own; differentiable. */
export function clone(x: Tensor): Tensor {
    return cloneOp([x], {});
}

const contiguousOp = defineOp({
    name: 'contiguous',
    forward: (_, [x]) => copyKernel(x),
    backward: (dy) => [dy],
    differentiable: true,
});

/** x itself when its elements lie in row-major order, else a copy in which they do. */
export function contiguous(x: Tensor): Tensor {
    requireTensor('contiguous', x);
    return x.isContiguous ? x : contiguousOp([x], {});
}

/** A dtype as a number has it in PyTorch: integers do not make an integer tensor float, fractions do. */
function numberDtype(value: number): DType {
    return Number.isInteger(value) ? 'int64' : 'float32';
}

/**
 * The dtype of `op(a, b)` by PyTorch's rules: a 0-d tensor or a number changes the dtype of a tensor with dimensions only
 * when it is of a higher category (bool < integer < float).
 */
export function resultDtype(a: Operand, b: Operand): DType {
    // The common cases first, without a detour through ranks and categories.
    if (typeof a !== 'number' && typeof b !== 'number' && a.dtype === b.dtype) return a.dtype;
    if (typeof a !== 'number' && typeof b === 'number' && isFloat(a.dtype)) return a.dtype;
    if (typeof a === 'number' && typeof b === 'number') return promote(numberDtype(a), numberDtype(b));
    const rank = (x: Operand): number => (typeof x === 'number' ? 0 : x.rank === 0 ? 1 : 2);
    const dtypeOf = (x: Operand): DType => (typeof x === 'number' ? numberDtype(x) : x.dtype);
    const [strong, weak] = rank(a) >= rank(b) ? [a, b] : [b, a];
    if (rank(strong) === rank(weak)) return promote(dtypeOf(a), dtypeOf(b));
    return category(dtypeOf(weak)) > category(dtypeOf(strong)) ? dtypeOf(weak) : dtypeOf(strong);
}

/** The dtype of a result that is always float: float32 for integers. */
export function floatDtype(dtype: DType): DType {
    return isFloat(dtype) ? dtype : 'float32';
}

export function requireFloat(op: string, x: Tensor): void {
    if (!isFloat(x.dtype))
        throw new TypeError(`[${op}] needs a float dtype, got ${x.dtype}; cast with x.to('float32')`);
}

export function requireSameShape(op: string, a: Tensor, b: Tensor): void {
    if (!sameShape(a.shape, b.shape)) {
        throw new RangeError(`[${op}] shapes differ: ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
    }
}
