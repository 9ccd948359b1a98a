import { LAYER_BATCHES } from '../cases/gemm.js';

/** A 3x3 convolution of so many channels on square images. */
export interface ConvolutionSize {
    readonly inputs: number;
    readonly outputs: number;
    readonly side: number;
}

/** What the rows of a GPU compute with. */
export interface Sizes {
    readonly copyMebibytes: number;
    /** Rows, columns and terms of the product that shows what the GPU can do at most. */
    readonly largest: number;
    /** Batches of the MLP whose products are timed. */
    readonly productBatches: readonly number[];
    readonly convolutions: readonly ConvolutionSize[];
    readonly convolutionBatch: number;
    /** So many calls are one unit of work, so that what starts them costs nothing beside them. */
    readonly repeated: number;
    readonly mlpBatches: readonly number[];
    readonly cnnBatch: number;
    readonly models: number;
    /** Features of the input and of each layer of one of them. */
    readonly modelSizes: readonly number[];
}

/** Those of the figures. */
export const FULL: Sizes = {
    copyMebibytes: 1024,
    largest: 8192,
    productBatches: LAYER_BATCHES,
    convolutions: [
        { inputs: 32, outputs: 64, side: 14 },
        { inputs: 64, outputs: 128, side: 14 },
        { inputs: 1, outputs: 32, side: 28 },
    ],
    convolutionBatch: 512,
    repeated: 20,
    mlpBatches: [64, 256],
    cnnBatch: 512,
    models: 64,
    modelSizes: [784, 256, 128, 10],
};

/** Of the same rows where it is to be seen that they run: on the simulator, and with PyTorch on the CPU. */
export const SMALL: Sizes = {
    copyMebibytes: 1,
    largest: 32,
    productBatches: [2],
    convolutions: [{ inputs: 3, outputs: 4, side: 5 }],
    convolutionBatch: 2,
    repeated: 2,
    mlpBatches: [2],
    cnnBatch: 2,
    models: 3,
    modelSizes: [16, 12, 10],
};
