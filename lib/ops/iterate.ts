import { Tensor } from '../tensor/tensor.js';
import { select } from './shape_ops.js';

/** Shapes: x [D_1, ..] -> D_1 views of [..]; gradients flow through them. */
function* entriesOf(x: Tensor): IterableIterator<Tensor> {
    const [count] = x.shape;
    if (count === undefined)
        throw new TypeError('[Tensor] a 0-d tensor has nothing to iterate over; item() gives its element');
    for (let i = 0; i < count; i++) yield select(x, 0, i);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        /** The entries along the first axis, as views. For the numbers themselves use `data()` or `toArray()`. */
        [Symbol.iterator](): IterableIterator<Tensor>;
    }
}

Object.defineProperty(Tensor.prototype, Symbol.iterator, {
    configurable: true,
    writable: true,
    value(this: Tensor): IterableIterator<Tensor> {
        return entriesOf(this);
    },
});
