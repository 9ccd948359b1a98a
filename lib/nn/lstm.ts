import { reshape } from '../ops/shape_ops.js';
import { sigmoid, tanh } from '../ops/activation.js';
import { unbind } from '../ops/unbind.js';
import { describeValue } from '../support/describe_value.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ModuleOfSeveral } from './module.js';
import { Recurrent, type CellState, type RecurrentOptions } from './recurrent.js';
import type { SequenceOptions } from './sequence_lengths.js';

/**
 * Long short-term memory over time steps t:
 *
 *     i, f, o = sigmoid(W_i. x_t + b_i. + W_h. h_{t-1} + b_h.)     g = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
 *     c_t = f * c_{t-1} + i * g                                     h_t = o * tanh(c_t)
 *
 * Shapes: x [T, N, inputSize], or [N, T, inputSize] with `batchFirst`, or [T, inputSize]; h_0 and c_0
 * [numLayers * D, N, hiddenSize], zeros where none are given -> output [T, N, D hiddenSize] (h_t of the last layer),
 * [h_n, c_n] like h_0 and c_0; D is 2 with `bidirectional`, else 1. In a `Sequential` the output goes on.
 *
 * Parameters are PyTorch's: weight_ih_l0 [4 hiddenSize, inputSize], weight_hh_l0 [4 hiddenSize, hiddenSize], bias_ih_l0,
 * bias_hh_l0 [4 hiddenSize], gates in the order i, f, g, o; _l1 and so on for further layers, with `_reverse` behind them
 * for the other direction. All start uniform in [-1/sqrt(hiddenSize), 1/sqrt(hiddenSize)].
 *
 * Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
 *
 * @throws RangeError that names the layer and the shapes where they do not fit.
 * @example
 * import { nn, randn } from 'nativegrad';
 * const lstm = new nn.LSTM(8, 16, { numLayers: 2, batchFirst: true });
 * const [output, [h, c]] = lstm.forward(randn([3, 5, 8]));
 * console.log(output.shape, h.shape, c.shape); // [3, 5, 16] [2, 3, 16] [2, 3, 16]
 * const [padded] = lstm.forward(randn([3, 5, 8]), undefined, { lengths: [5, 2, 4] });
 * console.log(padded.select(0, 1).slice(0, 2).abs().sum().item()); // 0
 */
export class LSTM extends Recurrent implements ModuleOfSeveral {
    constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
        super(inputSize, hiddenSize, 4, 2, options);
    }

    /** The output and the last states [h_n, c_n]; `state` is [h_0, c_0], `options.lengths` says where padding begins. */
    forward(
        x: Tensor,
        state?: readonly [Tensor, Tensor],
        options: SequenceOptions = {},
    ): [Tensor, [Tensor, Tensor]] {
        const given: unknown = state;
        if (given !== undefined && (!Array.isArray(given) || given.length !== 2))
            throw new TypeError(`[LSTM] the state must be [h_0, c_0], got ${describeValue(given)}`);
        const { output, states } = this.runLayers(x, state, options);
        return [output, [states[0], states[1]]];
    }

    protected cell(inputs: Tensor, hidden: Tensor, [, before]: CellState): CellState {
        const [i, f, g, o] = unbind(
            reshape(inputs.add(hidden), [inputs.shape[0] ?? 0, 4, this.hiddenSize]),
            1,
        );
        const c = sigmoid(f)
            .mul(before)
            .add(sigmoid(i).mul(tanh(g)));
        return [sigmoid(o).mul(tanh(c)), c];
    }
}
