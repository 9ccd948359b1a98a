import * as nn from '../nn/index.js';
import type { Layer } from '../nn/module.js';
import { Generator } from '../ops/generator.js';
import { flatFeatures } from './classifier_spec.js';
import type { ClassifierSpec } from './classifier_spec.js';

/** How the weights of the hidden and output layers start; biases start at zero. */
export type ClassifierInit = 'he' | 'glorot';

/**
 * Builds the layers of a spec: for a CNN blocks of convolution, batch norm, activation and 2x2 max-pooling; then, for
 * both, hidden linear layers with activation and dropout, and a linear layer to the classes.
 * images [N, C, H, W] -> logits [N, classes]
 *
 * @example
 * ```ts
 * import { train, zeros } from 'nativegrad';
 * const spec = train.mnistSpec({ architecture: 'mlp', hiddenSizes: [32] });
 * console.log(train.buildClassifier(spec).forward(zeros([2, 1, 28, 28])).shape); // [2, 10]
 * ```
 */
export function buildClassifier(spec: ClassifierSpec): nn.Sequential {
    const layers = [...convolutionBlocks(spec), new nn.Flatten()];
    let features = flatFeatures(spec);
    for (const size of spec.hiddenSizes) {
        layers.push(new nn.Linear(features, size));
        if (spec.useBatchNorm && spec.architecture === 'mlp') layers.push(new nn.BatchNorm1d(size));
        layers.push(activation(spec));
        if (spec.dropoutRate > 0) layers.push(new nn.Dropout(spec.dropoutRate));
        features = size;
    }
    layers.push(new nn.Linear(features, spec.classes));
    return new nn.Sequential(...layers);
}

function convolutionBlocks(spec: ClassifierSpec): Layer[] {
    let [channels] = spec.inputShape;
    return spec.convChannels.flatMap((size) => {
        const padding = (spec.kernelSize - 1) / 2;
        const block: Layer[] = [new nn.Conv2d(channels, size, spec.kernelSize, { padding })];
        if (spec.useBatchNorm) block.push(new nn.BatchNorm2d(size));
        block.push(activation(spec), new nn.MaxPool2d(2));
        channels = size;
        return block;
    });
}

function activation({ activation: name }: ClassifierSpec): Layer {
    if (name === 'relu') return new nn.ReLU();
    return name === 'sigmoid' ? new nn.Sigmoid() : new nn.Tanh();
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
