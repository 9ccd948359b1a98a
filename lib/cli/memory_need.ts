import { freemem, totalmem } from 'node:os';

import type { TrainConfig } from './train_flags.js';
import { UsageError } from './usage_error.js';

/** Node, ECharts, the digits and the addon. */
const BASE_BYTES = 256 * 2 ** 20;
const FLOAT_BYTES = 4;

type Network = Pick<
    TrainConfig,
    'architecture' | 'hiddenSizes' | 'convChannels' | 'kernelSize' | 'useBatchNorm' | 'dropoutRate'
>;

export interface NetworkSize {
    readonly parameters: number;
    /** Numbers that the layers keep of one image until backward. */
    readonly activations: number;
}

/** Counts without building: the network may be larger than the memory. */
export function networkSize(network: Network): NetworkSize {
    const { architecture, kernelSize, useBatchNorm, dropoutRate } = network;
    const isCnn = architecture === 'cnn';
    let [channels, side, parameters, activations] = [1, 28, 0, 0];
    for (const size of isCnn ? network.convChannels : []) {
        parameters += size * (channels * kernelSize ** 2 + 1) + (useBatchNorm ? 2 * size : 0);
        activations += size * side ** 2 * (useBatchNorm ? 3 : 2);
        channels = size;
        side = Math.floor(side / 2);
        activations += size * side ** 2;
    }
    let features = channels * side ** 2;
    for (const size of network.hiddenSizes) {
        const hasNorm = useBatchNorm && !isCnn;
        parameters += size * (features + 1) + (hasNorm ? 2 * size : 0);
        activations += size * (2 + (hasNorm ? 1 : 0) + (dropoutRate > 0 ? 1 : 0));
        features = size;
    }
    return { parameters: parameters + 10 * (features + 1), activations: activations + 10 };
}

/** The least that a training run takes: weights, gradients, the optimizer's state and one batch's activations. */
export function memoryNeed(config: TrainConfig): number {
    const { parameters, activations } = networkSize(config);
    const hasMomentum = config.momentum > 0 ? 1 : 0;
    const states = { sgd: hasMomentum, rmsprop: 1 + hasMomentum, adam: 2, adamw: 2 }[config.optimizer];
    const average = config.emaDecay === undefined ? 0 : 1;
    return BASE_BYTES + FLOAT_BYTES * (parameters * (2 + states + average) + activations * config.batchSize);
}

/** Memory of the machine, or of the container where that is less; and what of it is free. */
export function machineMemory(): { readonly total: number; readonly free: number } {
    // 0 or a number beyond all memory: no limit.
    const limit = process.constrainedMemory() || Infinity;
    const total = Math.min(totalmem(), limit);
    return { total, free: Math.min(freemem(), total) };
}

/**
 * Refuses a network that cannot be trained in this machine's memory, before the system ends the process without a word;
 * gives a warning where it only fits once other programs make room.
 *
 * @throws {UsageError} with what is needed and what there is.
 */
export function checkMemory(config: TrainConfig, { total, free } = machineMemory()): string | undefined {
    const need = memoryNeed(config);
    if (need <= free) return undefined;
    const { parameters } = networkSize(config);
    const state = config.momentum === 0 && config.optimizer === 'sgd' ? '' : ' and optimizer state';
    const parts = `${parameters.toLocaleString('en-US')} parameters with gradients${state}, and batches of ${config.batchSize}`;
    const flags = config.architecture === 'cnn' ? '--conv_channels, --hidden_sizes' : '--hidden_sizes';
    const text = `training needs at least ${gibibytes(need)} of memory (${parts})`;
    const fix = `choose smaller ${flags} or --batch_size`;
    if (need > total) throw new UsageError(`${text}, there are ${gibibytes(total)}; ${fix}`);
    return `${text}, ${gibibytes(free)} of ${gibibytes(total)} are free; the system may end the run without a word: ${fix}`;
}

function gibibytes(bytes: number): string {
    return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
