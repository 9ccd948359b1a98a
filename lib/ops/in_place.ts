import { isGradEnabled } from '../autograd/grad_mode.js';
import { binaryCode, run } from '../native/call.js';
import { category } from '../tensor/dtype.js';
import { broadcastShapes, sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { requireTensor, resultDtype } from './convert.js';
import { copyKernel, type Operand } from './kernels.js';
import { installMethods } from './methods.js';

/** Refuses targets that must not be written: recorded ones, and views in which elements overlap. */
function beginWrite(op: string, x: Tensor, source?: Operand): void {
    requireTensor(op, x);
    if (isGradEnabled() && x.needsGrad) {
        throw new Error(
            `[${op}] would change, in place, a tensor of shape ${shapeText(x.shape)} that requires a gradient; ` +
                'wrap it in noGrad(), or use the op without the underscore',
        );
    }
    if (isGradEnabled() && source instanceof Tensor && source.needsGrad) {
        throw new Error(
            `[${op}] the source requires a gradient, which an in-place op does not record; detach() it`,
        );
    }
    if (x.strides.some((stride, axis) => stride === 0 && (x.shape[axis] ?? 1) > 1)) {
        throw new Error(`[${op}] the tensor is expanded: several elements share memory; clone() it first`);
    }
    x.version.value++;
}

/** The source, or a copy where it shares storage with the target in another layout. */
function withoutOverlap<T>(x: Tensor, source: Operand, body: (source: Operand) => T): T {
    if (typeof source === 'number' || source === x || source.version !== x.version) return body(source);
    const copy = copyKernel(source);
    const result = body(copy);
    copy.dispose();
    return result;
}

function requireFit(op: string, x: Tensor, source: Operand): void {
    if (typeof source === 'number') return;
    requireTensor(op, source, 'the source');
    if (!sameShape(broadcastShapes(op, x.shape, source.shape), x.shape)) {
        throw new RangeError(
            `[${op}] shape ${shapeText(source.shape)} does not broadcast to ${shapeText(x.shape)}`,
        );
    }
}

function binaryInPlace(op: string, name: string): (x: Tensor, other: Operand) => Tensor {
    return (x, other) => {
        requireFit(op, x, other);
        const dtype = resultDtype(x, other);
        if (category(dtype) > category(x.dtype)) {
            throw new TypeError(
                `[${op}] a result of ${dtype} does not fit into a tensor of ${x.dtype}; cast it first`,
            );
        }
        beginWrite(op, x, other);
        withoutOverlap(x, other, (source) => run('binary', [x, source], [x], [binaryCode(name), 0]));
        return x;
    };
}

/** x += other */
export const add_ = binaryInPlace('add_', 'add');
/** x -= other */
export const sub_ = binaryInPlace('sub_', 'sub');
/** x *= other */
export const mul_ = binaryInPlace('mul_', 'mul');
/** x /= other; float dtypes only */
export const div_ = binaryInPlace('div_', 'div');

/** Overwrites x with the elements of another tensor, broadcast and cast. */
export function copy_(x: Tensor, source: Tensor): Tensor {
    requireFit('copy_', x, source);
    beginWrite('copy_', x, source);
    withoutOverlap(x, source, (from) => run('copy', [from], [x]));
    return x;
}

/** Overwrites every element with one value. */
export function fill_(x: Tensor, value: number): Tensor {
    beginWrite('fill_', x);
    run('fill', [], [x], [value]);
    return x;
}

export function zero_(x: Tensor): Tensor {
    return fill_(x, 0);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        add_(other: Operand): Tensor;
        sub_(other: Operand): Tensor;
        mul_(other: Operand): Tensor;
        div_(other: Operand): Tensor;
        copy_(source: Tensor): Tensor;
        fill_(value: number): Tensor;
        zero_(): Tensor;
    }
}

installMethods({ add_, sub_, mul_, div_, copy_, fill_, zero_ });
