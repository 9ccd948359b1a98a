import { lt } from '../ops/compare.js';
import { arange, tensor } from '../ops/create.js';
import { unsqueeze } from '../ops/shape_ops.js';
import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { isFloat } from '../tensor/dtype.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** How `nn.LSTM` and `nn.GRU` take a batch of sequences. */
export interface SequenceOptions {
    /**
     * Steps of each sequence, where some are shorter than the batch and padded at their ends: N integers from 1 to T, in any order.
     * What stands in the padding does not matter, not even NaN: outputs there and gradients of it are 0, each sequence's last
     * state is that of its own last step, and the other direction begins there. PyTorch's `pack_padded_sequence` and
     * `pad_packed_sequence`. A tensor is not read, so that captured steps may take it as an input: a length below 1 is no step,
     * one above T all of them.
     */
    readonly lengths?: Tensor | readonly number[];
}

/**
 * True where x [T, N, ...] is no padding: [T, N, 1]; undefined where no lengths are given.
 *
 * @throws TypeError or RangeError that names the layer where they are no N lengths.
 */
export function realSteps(name: string, x: Tensor, options: SequenceOptions): Tensor | undefined {
    requireOptionNames(`[${name}]`, options, ['lengths']);
    const { lengths } = options;
    if (lengths === undefined) return undefined;
    const [time = 0, batch = 0] = x.shape;
    const known = lengths instanceof Tensor ? lengths : listed(name, lengths, time, x);
    if (isFloat(known.dtype) || known.dtype === 'bool')
        throw new TypeError(`[${name}] lengths must be integers, got ${known.dtype}`);
    if (known.rank !== 1 || known.shape[0] !== batch)
        throw new RangeError(
            `[${name}] expected lengths [${batch}], one for each sequence, got ${shapeText(known.shape)}`,
        );
    const places = arange(0, time, 1, { dtype: 'int64', device: x.device });
    return unsqueeze(lt(unsqueeze(places, 1), unsqueeze(known, 0)), 2);
}

function listed(name: string, lengths: unknown, time: number, { device }: Tensor): Tensor {
    const list: readonly unknown[] = isList(lengths) ? Array.from(lengths as ArrayLike<unknown>) : [lengths];
    const wrong = list.find(
        (length) => !Number.isInteger(length) || Number(length) < 1 || Number(length) > time,
    );
    if (wrong !== undefined)
        throw new RangeError(
            `[${name}] lengths must be integers from 1 to ${time}, the steps of the batch, got ${describeValue(wrong)}`,
        );
    return tensor(list.map(Number), { dtype: 'int64', device });
}
