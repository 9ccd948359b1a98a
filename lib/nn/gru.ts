import { reshape } from '../ops/shape_ops.js';
import { sigmoid, tanh } from '../ops/activation.js';
import { unbind } from '../ops/unbind.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ModuleOfSeveral } from './module.js';
import { Recurrent, type CellState, type RecurrentOptions } from './recurrent.js';
import type { SequenceOptions } from './sequence_lengths.js';

/**
 * Gated recurrent units over time steps t:
 *
 *     r, z = sigmoid(W_i. x_t + b_i. + W_h. h_{t-1} + b_h.)
 *     n = tanh(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn))
 *     h_t = (1 - z) * n + z * h_{t-1}
 *
 * Shapes: x [T, N, inputSize], or [N, T, inputSize] with `batchFirst`, or [T, inputSize]; h_0 [numLayers * D, N,
 * hiddenSize], zeros where none is given -> output [T, N, D hiddenSize] (h_t of the last layer), h_n like h_0; D is 2 with
 * `bidirectional`, else 1. In a `Sequential` the output goes on.
 *
 * Parameters are PyTorch's, as those of `nn.LSTM` with three gates in the order r, z, n.
 *
 * Source: Cho et al. 2014, in the variant of cuDNN and PyTorch, where r acts on the product.
 *
 * @throws RangeError that names the layer and the shapes where they do not fit.
 * @example
 * import { nn, randn } from 'nativegrad';
 * const gru = new nn.GRU(8, 16, { bidirectional: true });
 * const [output, h] = gru.forward(randn([5, 3, 8]));
 * console.log(output.shape, h.shape); // [5, 3, 32] [2, 3, 16]
 */
export class GRU extends Recurrent implements ModuleOfSeveral {
    constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
        super(inputSize, hiddenSize, 3, 1, options);
    }

    /** The output and the last state h_n; `state` is h_0, `options.lengths` says where padding begins. */
    forward(x: Tensor, state?: Tensor, options: SequenceOptions = {}): [Tensor, Tensor] {
        const { output, states } = this.runLayers(x, state === undefined ? undefined : [state], options);
        return [output, states[0]];
    }

    protected cell(inputs: Tensor, hidden: Tensor, [before]: CellState): CellState {
        const shape = [inputs.shape[0] ?? 0, 3, this.hiddenSize];
        const [inputR, inputZ, inputN] = unbind(reshape(inputs, shape), 1);
        const [hiddenR, hiddenZ, hiddenN] = unbind(reshape(hidden, shape), 1);
        const z = sigmoid(inputZ.add(hiddenZ));
        const n = tanh(inputN.add(sigmoid(inputR.add(hiddenR)).mul(hiddenN)));
        return [n.add(z.mul(before.sub(n)))];
    }
}
