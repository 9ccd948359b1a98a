import { noGrad } from '../autograd/grad_mode.js';
import { zeros } from '../ops/create.js';
import { embedding } from '../ops/gather.js';
import { zero_ } from '../ops/in_place.js';
import { select } from '../ops/shape_ops.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InitOptions } from './draw.js';
import { normal } from './init.js';
import { Module, type Layer } from './module.js';
import { requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';

export interface EmbeddingOptions extends InitOptions {
    /** A row that stays zero and learns nothing. */
    readonly paddingIndex?: number;
    /** Default: float32. */
    readonly dtype?: DType;
}

/**
 * A table of vectors, looked up by integers: index [*] -> [*, embeddingDim]. Rows start from the standard normal
 * distribution, as in PyTorch.
 *
 * @throws Error that names the layer for an index outside the table.
 * @example
 * import { nn, tensor } from 'nativegrad';
 * const table = new nn.Embedding(10, 4);
 * console.log(table.forward(tensor([[1, 2, 3]], { dtype: 'int64' })).shape); // [1, 3, 4]
 */
export class Embedding extends Module implements Layer {
    readonly weight: Parameter;
    readonly paddingIndex: number | undefined;

    constructor(
        readonly numEmbeddings: number,
        readonly embeddingDim: number,
        options: EmbeddingOptions = {},
    ) {
        super();
        requireOptions('Embedding', options, 'paddingIndex', 'dtype', 'generator');
        requireSizes('Embedding', { numEmbeddings, embeddingDim });
        const { paddingIndex, dtype = 'float32' } = options;
        if (
            paddingIndex !== undefined &&
            (!Number.isInteger(paddingIndex) ||
                paddingIndex < -numEmbeddings ||
                paddingIndex >= numEmbeddings)
        )
            throw new RangeError(`Embedding: paddingIndex ${paddingIndex} is outside ${numEmbeddings} rows`);
        this.paddingIndex = paddingIndex;
        this.weight = new Parameter(zeros([numEmbeddings, embeddingDim], { dtype }));
        normal(this.weight, 0, 1, options);
        if (paddingIndex !== undefined) noGrad(() => zero_(select(this.weight, 0, paddingIndex)));
    }

    forward(index: Tensor): Tensor {
        return embedding(index, this.weight, this.paddingIndex);
    }

    /** A look-up multiplies nothing. */
    override positions(): number {
        return 0;
    }

    override describe(): string {
        const padding = this.paddingIndex === undefined ? '' : `, paddingIndex: ${this.paddingIndex}`;
        return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
    }
}
