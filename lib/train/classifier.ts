import * as nn from '../nn/index.js';
import type { Layer } from '../nn/module.js';
import { Generator } from '../ops/generator.js';

/** The layers of an image classifier; what is left out has the defaults of the command line. */
export interface ClassifierOptions {
    readonly architecture?: 'mlp' | 'cnn';
    /** One image: channels, height, width; default [1, 28, 28]. */
    readonly inputShape?: readonly [number, number, number];
    /** Default 10. */
    readonly classes?: number;
    /** Units of the hidden linear layers; default [256, 128] for an MLP, [128] for a CNN. */
    readonly hiddenSizes?: readonly number[];
    /** Channels of a CNN's convolution blocks, each of which halves the image; default [32, 64]. */
    readonly convChannels?: readonly number[];
    /** Side of the kernels, odd, so that padding keeps the image's size; default 3. */
    readonly kernelSize?: number;
    /** Default `relu`. */
    readonly activation?: 'relu' | 'sigmoid' | 'tanh';
    /** In a CNN behind every convolution, in an MLP behind every hidden linear layer; default false. */
    readonly useBatchNorm?: boolean;
    /** Behind every hidden linear layer's activation; default 0. */
    readonly dropoutRate?: number;
}

/** How the weights of the hidden and output layers start; biases start at zero. */
export type ClassifierInit = 'he' | 'glorot';

/**
 * Builds an image classifier: for a CNN blocks of convolution, batch norm, activation and 2x2 max-pooling; then, for both,
 * hidden linear layers with activation and dropout, and a linear layer to the classes.
 * images [N, C, H, W] -> logits [N, classes]
 *
 * @throws RangeError for an even kernel, or where the poolings leave nothing of the image.
 * @example
 * ```ts
 * import { train, zeros } from 'nativegrad';
 * const model = train.buildClassifier({ architecture: 'mlp', hiddenSizes: [32] });
 * console.log(model.forward(zeros([2, 1, 28, 28])).shape); // [2, 10]
 * ```
 */
export function buildClassifier(options: ClassifierOptions = {}): nn.Sequential {
    const isCnn = options.architecture === 'cnn';
    const { classes = 10, hiddenSizes = isCnn ? [128] : [256, 128], dropoutRate = 0 } = options;
    let [channels, height, width] = options.inputShape ?? [1, 28, 28];
    const layers: Layer[] = [];
    for (const size of isCnn ? (options.convChannels ?? [32, 64]) : []) {
        layers.push(...convolutionBlock(channels, size, options));
        channels = size;
        [height, width] = [Math.floor(height / 2), Math.floor(width / 2)];
    }
    layers.push(new nn.Flatten());
    let features = channels * height * width;
    if (features === 0) throw new RangeError(`[buildClassifier] ${nothingLeft(options)}`);
    for (const size of hiddenSizes) {
        layers.push(new nn.Linear(features, size));
        if (options.useBatchNorm && !isCnn) layers.push(new nn.BatchNorm1d(size));
        layers.push(activation(options));
        if (dropoutRate > 0) layers.push(new nn.Dropout(dropoutRate));
        features = size;
    }
    layers.push(new nn.Linear(features, classes));
    return new nn.Sequential(...layers);
}

function convolutionBlock(channels: number, size: number, options: ClassifierOptions): Layer[] {
    const { kernelSize = 3, useBatchNorm = false } = options;
    if (kernelSize % 2 !== 1) {
        throw new RangeError(`[buildClassifier] kernelSize must be odd, got ${kernelSize}`);
    }
    const convolution = new nn.Conv2d(channels, size, kernelSize, { padding: (kernelSize - 1) / 2 });
    const norm = useBatchNorm ? [new nn.BatchNorm2d(size)] : [];
    return [convolution, ...norm, activation(options), new nn.MaxPool2d(2)];
}

function activation({ activation: name }: ClassifierOptions): Layer {
    if (name === 'sigmoid') return new nn.Sigmoid();
    return name === 'tanh' ? new nn.Tanh() : new nn.ReLU();
}

function nothingLeft({ convChannels = [], inputShape = [1, 28, 28] }: ClassifierOptions): string {
    const [, height, width] = inputShape;
    const image = `an image of ${height} x ${width}`;
    return `${convChannels.length} poolings leave nothing of ${image}; give fewer convChannels`;
}

/**
 * Draws the weights of all linear and convolution layers anew, uniformly, by He's or Glorot's rule (`nn.init`). Their biases
 * become zero; batch norm is left alone. The numbers depend on the seed and the shapes only.
 */
export function initializeClassifier(model: nn.Module, init: ClassifierInit, seed: number): void {
    const generator = new Generator(seed);
    const draw = init === 'he' ? nn.init.heUniform : nn.init.glorotUniform;
    for (const module of model.modules()) {
        if (!(module instanceof nn.Linear) && !(module instanceof nn.Conv2d)) continue;
        draw(module.weight, { generator });
        if (module.bias) nn.init.zeros(module.bias);
    }
}
