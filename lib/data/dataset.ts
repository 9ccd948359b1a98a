import { untraced } from '../native/call.js';
import { batchGather, tensor, zeros } from '../ops/index.js';
import { keep } from '../tensor/lifetime.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import type { Device } from '../tensor/device.js';
import { Tensor } from '../tensor/tensor.js';

/** One batch: inputs [n, ...] and targets [n, ...]. */
export type Batch = readonly [inputs: Tensor, targets: Tensor];

/** One sample: tensors of the sample's own shape, or a number for a 0-d target. */
export type Sample = readonly [input: Tensor, target: Tensor | number];

/** A finite collection of samples. */
export interface Dataset {
    readonly length: number;
    get(index: number): Sample;
    /** Several samples at once, where that is cheaper than one by one. */
    batch?(indices: Int32Array): Batch;
    /**
     * The samples at the positions in `index`, integers [n], made by ops alone: it becomes a part of a captured step, and
     * whole stretches of an epoch run without JavaScript.
     */
    readonly gather?: ((index: Tensor) => Batch) | undefined;
    /** Where `gather` works and the samples lie; default: the CPU. */
    readonly device?: Device;
}

export interface TensorDatasetOptions {
    /** Inputs become float32: x * scale + shift. */
    scale?: number;
    shift?: number;
}

/**
 * Samples along the first dimension of two tensors. Inputs are kept in their own dtype (bytes stay bytes) and become
 * float32 in the batch, scaled and shifted on the way.
 *
 * @throws RangeError when the tensors have different numbers of samples.
 */
export class TensorDataset implements Dataset {
    readonly length: number;

    constructor(
        readonly inputs: Tensor,
        readonly targets: Tensor,
        private readonly options: TensorDatasetOptions = {},
    ) {
        requireTensor('TensorDataset', inputs, 'the inputs');
        requireTensor('TensorDataset', targets, 'the targets');
        requireOptionNames('[TensorDataset]', options, ['scale', 'shift']);
        if (inputs.rank < 1 || targets.rank < 1 || inputs.shape[0] !== targets.shape[0]) {
            throw new RangeError(
                `[TensorDataset] inputs ${shapeText(inputs.shape)} and targets ${shapeText(targets.shape)} ` +
                    'must have the same number of samples in their first dimension',
            );
        }
        keep(inputs);
        keep(targets);
        this.length = inputs.shape[0] ?? 0;
    }

    /** Where the samples lie, and batches are made. */
    get device(): Device {
        return this.inputs.device;
    }

    /**
     * The same samples on another device: there, a batch is gathered by one kernel and nothing crosses the bus.
     *
     * @throws CudaError where CUDA cannot be used; Error where the device has no memory for them.
     */
    to(device: Device): TensorDataset {
        return new TensorDataset(this.inputs.to(device), this.targets.to(device), this.options);
    }

    get(index: number): Sample {
        const [inputs, targets] = this.batch(Int32Array.of(index));
        return [inputs.select(0, 0), targets.select(0, 0)];
    }

    batch(indices: Int32Array): Batch {
        const index = tensor(indices, { device: this.inputs.device });
        const batch = this.gather(index);
        index.dispose();
        return batch;
    }

    readonly gather = (index: Tensor): Batch => [
        batchGather(this.inputs, index, this.options),
        batchGather(this.targets, index, { dtype: this.targets.dtype }),
    ];
}

/** @internal Throws where `dataset` lacks what a data set must have. */
export function requireDataset(op: string, dataset: unknown): asserts dataset is Dataset {
    if (typeof dataset === 'object' && dataset !== null && 'length' in dataset) {
        const { get, batch, length } = dataset as { get?: unknown; batch?: unknown; length: unknown };
        const reads = typeof get === 'function' || typeof batch === 'function';
        if (reads && typeof length === 'number' && Number.isSafeInteger(length) && length >= 0) return;
    }
    throw new TypeError(
        `[${op}] the data set must have a length and get(index), got ${describeValue(dataset)}; ` +
            'tensors go in as new TensorDataset(inputs, targets)',
    );
}

/** Some of the samples of another data set, in the order of `indices`. */
export class Subset implements Dataset {
    readonly length: number;
    /** There where the data set in full has it. */
    readonly gather: ((index: Tensor) => Batch) | undefined;

    constructor(
        readonly dataset: Dataset,
        readonly indices: Int32Array,
    ) {
        requireDataset('Subset', dataset);
        if (!(indices instanceof Int32Array))
            throw new TypeError(
                `[Subset] indices must be an Int32Array, got ${describeValue(indices)}; make one with Int32Array.from(list)`,
            );
        this.length = indices.length;
        for (const index of indices) {
            if (index < 0 || index >= dataset.length) {
                throw new RangeError(`[Subset] index ${index} is outside [0, ${dataset.length})`);
            }
        }
        const { gather } = dataset;
        this.gather = gather && this.gatherFrom(gather);
    }

    private gatherFrom(gather: (index: Tensor) => Batch): (index: Tensor) => Batch {
        let positions: Tensor | undefined;
        return (index) => {
            positions ??= untraced(() => keep(tensor(this.indices, { device: index.device })));
            return gather(positions.indexSelect(0, index));
        };
    }

    get device(): Device {
        return this.dataset.device ?? 'cpu';
    }

    get(index: number): Sample {
        return this.dataset.get(this.indices[index] ?? -1);
    }

    batch(indices: Int32Array): Batch {
        return batchOf(
            this.dataset,
            indices.map((index) => this.indices[index] ?? -1),
        );
    }
}

/** Samples of `values` in one tensor with a new first dimension. */
function stack(values: readonly (Tensor | number)[], what: string): Tensor {
    const [first] = values;
    if (!(first instanceof Tensor)) {
        return tensor(Int32Array.from(values, (value) => (value instanceof Tensor ? value.item() : value)));
    }
    const out = zeros([values.length, ...first.shape], { dtype: first.dtype, device: first.device });
    values.forEach((value, i) => {
        if (!(value instanceof Tensor) || !sameShape(value.shape, first.shape)) {
            const got = value instanceof Tensor ? shapeText(value.shape) : 'a number';
            throw new RangeError(
                `[DataLoader] ${what} ${i} has shape ${got}, the first of the batch ${shapeText(first.shape)}`,
            );
        }
        const row = out.select(0, i);
        row.copy_(value.detach());
        row.dispose();
    });
    return out;
}

/** The samples at `indices` as one batch. */
export function batchOf(dataset: Dataset, indices: Int32Array): Batch {
    if (dataset.batch) return dataset.batch(indices);
    const samples = Array.from(indices, (index) => dataset.get(index));
    return [
        stack(
            samples.map(([input]) => input),
            'input',
        ),
        stack(
            samples.map(([, target]) => target),
            'target',
        ),
    ];
}
