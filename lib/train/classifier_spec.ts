/** Everything that is needed to build an image classifier's layers; it travels as JSON in the model file. */
export interface ClassifierSpec {
    readonly architecture: 'mlp' | 'cnn';
    /** One image: channels, height, width. */
    readonly inputShape: readonly [number, number, number];
    readonly classes: number;
    /** Units of the hidden linear layers. */
    readonly hiddenSizes: readonly number[];
    /** Channels of the convolution blocks; empty for an MLP. */
    readonly convChannels: readonly number[];
    /** Side of the kernels, odd, so that padding keeps the image's size. */
    readonly kernelSize: number;
    readonly activation: 'relu' | 'sigmoid' | 'tanh';
    /** In a CNN behind every convolution, in an MLP behind every hidden linear layer. */
    readonly useBatchNorm: boolean;
    /** Behind every hidden linear layer's activation. */
    readonly dropoutRate: number;
    /** Pixels in [0, 1] come in as (pixel - mean) / std. */
    readonly mean: number;
    readonly std: number;
    /** What it was trained for, and is evaluated by: cross-entropy, or mean squared error of the softmax. */
    readonly loss: 'cce' | 'mse';
}

/** A spec for MNIST's images, with the defaults of the command line for what is not given. */
export function mnistSpec(choices: Partial<ClassifierSpec> = {}): ClassifierSpec {
    const isCnn = choices.architecture === 'cnn';
    return {
        architecture: 'mlp',
        inputShape: [1, 28, 28],
        classes: 10,
        hiddenSizes: isCnn ? [128] : [256, 128],
        convChannels: isCnn ? [32, 64] : [],
        kernelSize: 3,
        activation: 'relu',
        useBatchNorm: false,
        dropoutRate: 0,
        mean: 0.1307,
        std: 0.3081,
        loss: 'cce',
        ...choices,
    };
}

/** The text is no spec, or one that contradicts itself. */
export class ClassifierSpecError extends Error {
    override readonly name = 'ClassifierSpecError';
}

const MAX_SIZE = 65_536;
const MAX_LAYERS = 64;

/**
 * Reads a spec from JSON that may come from anyone.
 *
 * @throws {ClassifierSpecError} naming the field, what was expected and what came.
 */
export function parseClassifierSpec(json: string): ClassifierSpec {
    let value: unknown;
    try {
        value = JSON.parse(json);
    } catch (cause) {
        throw new ClassifierSpecError('the architecture is no JSON', { cause });
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new ClassifierSpecError('the architecture is no JSON object');
    }
    return readSpec(new FieldReader(value));
}

/** The side of the feature maps behind the last pooling, each of which halves it. */
export function pooledSide(spec: ClassifierSpec, side: number): number {
    return spec.convChannels.reduce((size) => Math.floor(size / 2), side);
}

/** Features that the first linear layer takes. */
export function flatFeatures(spec: ClassifierSpec): number {
    const [channels, height, width] = spec.inputShape;
    return (spec.convChannels.at(-1) ?? channels) * pooledSide(spec, height) * pooledSide(spec, width);
}

/** Elements of all weights, biases and running statistics: tells what building the layers would take. */
export function storedElements(spec: ClassifierSpec): number {
    const isCnn = spec.architecture === 'cnn';
    // Scale, shift, running mean and variance per channel.
    const norm = (size: number): number => (spec.useBatchNorm ? 4 * size : 0);
    let total = 0;
    let channels = spec.inputShape[0];
    for (const size of spec.convChannels) {
        total += size * channels * spec.kernelSize ** 2 + size + norm(size);
        channels = size;
    }
    let features = flatFeatures(spec);
    for (const size of spec.hiddenSizes) {
        total += size * features + size + (isCnn ? 0 : norm(size));
        features = size;
    }
    return total + spec.classes * features + spec.classes;
}

function readSpec(fields: FieldReader): ClassifierSpec {
    const spec: ClassifierSpec = {
        architecture: fields.choice('architecture', ['mlp', 'cnn']),
        inputShape: fields.triple('inputShape'),
        classes: fields.integer('classes', 1, MAX_SIZE),
        hiddenSizes: fields.integers('hiddenSizes', MAX_LAYERS),
        convChannels: fields.integers('convChannels', MAX_LAYERS),
        kernelSize: fields.integer('kernelSize', 1, 1023),
        activation: fields.choice('activation', ['relu', 'sigmoid', 'tanh']),
        useBatchNorm: fields.boolean('useBatchNorm'),
        dropoutRate: fields.number('dropoutRate', 0, 1),
        mean: fields.number('mean', -1e6, 1e6),
        std: fields.number('std', 1e-6, 1e6),
        loss: fields.choice('loss', ['cce', 'mse']),
    };
    fields.requireNoMore();
    if (spec.dropoutRate === 1) throw new ClassifierSpecError('dropoutRate must be below 1, got 1');
    if (spec.kernelSize % 2 === 0) {
        throw new ClassifierSpecError(`kernelSize must be odd, got ${spec.kernelSize}`);
    }
    if ((spec.architecture === 'cnn') !== spec.convChannels.length > 0) {
        const count = spec.convChannels.length;
        throw new ClassifierSpecError(`a ${spec.architecture} cannot have ${count} convolution blocks`);
    }
    if (flatFeatures(spec) === 0) {
        const [, height, width] = spec.inputShape;
        throw new ClassifierSpecError(
            `${spec.convChannels.length} poolings leave nothing of an image of ${height} x ${width}`,
        );
    }
    return spec;
}

/** Reads the own fields of an object, each once, and says what is wrong with one. */
class FieldReader {
    private readonly read = new Set<string>();

    constructor(private readonly source: object) {}

    choice<const Choice extends string>(name: string, choices: readonly Choice[]): Choice {
        const value = this.take(name);
        return (
            choices.find((choice) => choice === value) ?? fail(name, `one of ${choices.join(', ')}`, value)
        );
    }

    boolean(name: string): boolean {
        const value = this.take(name);
        return typeof value === 'boolean' ? value : fail(name, 'true or false', value);
    }

    number(name: string, min: number, max: number): number {
        const value = this.take(name);
        const isGood = typeof value === 'number' && value >= min && value <= max;
        return isGood ? value : fail(name, `a number from ${min} to ${max}`, value);
    }

    integer(name: string, min: number, max: number): number {
        const value = this.number(name, min, max);
        return Number.isInteger(value) ? value : fail(name, 'an integer', value);
    }

    integers(name: string, maxLength: number): number[] {
        const value = this.take(name);
        if (!Array.isArray(value) || value.length > maxLength) {
            return fail(name, `a list of at most ${maxLength} sizes`, value);
        }
        return value.map((size: unknown) => {
            const isSize =
                typeof size === 'number' && Number.isInteger(size) && size >= 1 && size <= MAX_SIZE;
            return isSize ? size : fail(name, `sizes from 1 to ${MAX_SIZE}`, size);
        });
    }

    triple(name: string): [number, number, number] {
        const [channels, height, width, ...more] = this.integers(name, 3);
        if (channels === undefined || height === undefined || width === undefined || more.length > 0) {
            return fail(name, 'channels, height and width', this.take(name));
        }
        return [channels, height, width];
    }

    requireNoMore(): void {
        const unknown = Object.keys(this.source).find((name) => !this.read.has(name));
        if (unknown !== undefined) {
            const text = JSON.stringify(unknown.slice(0, 40));
            throw new ClassifierSpecError(`the architecture has the unknown field ${text}`);
        }
    }

    private take(name: string): unknown {
        this.read.add(name);
        if (!Object.hasOwn(this.source, name)) {
            throw new ClassifierSpecError(`the architecture lacks the field ${name}`);
        }
        return Reflect.get(this.source, name);
    }
}

function fail(name: string, expected: string, value: unknown): never {
    const text = (JSON.stringify(value) ?? 'nothing').slice(0, 80);
    throw new ClassifierSpecError(`${name} must be ${expected}, got ${text}`);
}
