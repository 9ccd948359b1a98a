import { dropout } from '../ops/dropout.js';
import { defaultGenerator, type Generator } from '../ops/generator.js';
import { zeros } from '../ops/create.js';
import { concat, stack } from '../ops/join.js';
import { linear } from '../ops/linear.js';
import { reshape, select, transpose, unsqueeze } from '../ops/shape_ops.js';
import { unbind } from '../ops/unbind.js';
import { where } from '../ops/where.js';
import type { DType } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { sameShape, shapeText, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { draw, type InitOptions } from './draw.js';
import { Module } from './module.js';
import { requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';
import { realSteps, type SequenceOptions } from './sequence_lengths.js';

export interface RecurrentOptions extends InitOptions {
    /** Layers one on top of the other. Default: 1. */
    readonly numLayers?: number;
    /** Default: true. */
    readonly bias?: boolean;
    /** Inputs and outputs are [batch, time, size], not [time, batch, size]. Default: false, as in PyTorch. */
    readonly batchFirst?: boolean;
    /** Probability with which an element between two layers is dropped in training. Default: 0. */
    readonly dropout?: number;
    /** A second set of weights runs from the last step to the first. Default: false. */
    readonly bidirectional?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

/** Weights of one layer in one direction. */
interface CellWeights {
    readonly inputs: Parameter;
    readonly hidden: Parameter;
    readonly inputBias: Parameter | null;
    readonly hiddenBias: Parameter | null;
}

/** @internal The state of one layer in one direction, each [N, H]; the first one is its output. */
export type CellState = readonly Tensor[];

/** @internal What LSTM and GRU have in common: layers, directions, names of weights. */
export abstract class Recurrent extends Module {
    [name: `weight_${'ih' | 'hh'}_l${string}` | `bias_${'ih' | 'hh'}_l${string}`]: Parameter;
    readonly numLayers: number;
    readonly bias: boolean;
    readonly batchFirst: boolean;
    readonly dropout: number;
    readonly bidirectional: boolean;
    /** @internal */
    readonly generator: Generator;

    protected constructor(
        readonly inputSize: number,
        readonly hiddenSize: number,
        /** Gates of a cell; the rows of each weight are as many times hiddenSize. */
        private readonly gates: number,
        /** Tensors of a cell's state. */
        private readonly states: number,
        options: RecurrentOptions,
    ) {
        super();
        const name = new.target.name;
        const known = ['numLayers', 'bias', 'batchFirst', 'dropout', 'bidirectional', 'dtype', 'generator'];
        requireOptions(name, options, ...known);
        const { numLayers = 1, dropout: p = 0 } = options;
        requireSizes(name, { inputSize, hiddenSize, numLayers });
        if (!(p >= 0 && p <= 1)) throw new RangeError(`${name}: dropout must be in [0, 1], got ${String(p)}`);
        if (p > 0 && numLayers === 1)
            throw new RangeError(
                `${name}: dropout ${p} acts between layers, and there is one; add layers, or nn.Dropout behind it`,
            );
        [this.numLayers, this.dropout] = [numLayers, p];
        this.bias = options.bias ?? true;
        this.batchFirst = options.batchFirst ?? false;
        this.bidirectional = options.bidirectional ?? false;
        this.generator = options.generator ?? defaultGenerator;
        this.makeWeights(options);
    }

    private get directions(): number {
        return this.bidirectional ? 2 : 1;
    }

    private makeWeights(options: RecurrentOptions): void {
        const { hiddenSize, directions } = this;
        const rows = this.gates * hiddenSize;
        const bound = 1 / Math.sqrt(hiddenSize);
        const make = (shape: Shape): Parameter => {
            const parameter = new Parameter(zeros(shape, { dtype: options.dtype ?? 'float32' }));
            draw('uniform', parameter, -bound, bound, options);
            return parameter;
        };
        for (let layer = 0; layer < this.numLayers; layer++) {
            const width = layer === 0 ? this.inputSize : directions * hiddenSize;
            for (let direction = 0; direction < directions; direction++) {
                const suffix = suffixOf(layer, direction);
                this[`weight_ih_${suffix}`] = make([rows, width]);
                this[`weight_hh_${suffix}`] = make([rows, hiddenSize]);
                if (!this.bias) continue;
                this[`bias_ih_${suffix}`] = make([rows]);
                this[`bias_hh_${suffix}`] = make([rows]);
            }
        }
    }

    private weightsOf(layer: number, direction: number): CellWeights {
        const suffix = suffixOf(layer, direction);
        return {
            inputs: this[`weight_ih_${suffix}`],
            hidden: this[`weight_hh_${suffix}`],
            inputBias: this.bias ? this[`bias_ih_${suffix}`] : null,
            hiddenBias: this.bias ? this[`bias_hh_${suffix}`] : null,
        };
    }

    /** One step: the inputs' part of the gates [N, G H], the hidden part of them [N, G H], and the state before. */
    protected abstract cell(inputs: Tensor, hidden: Tensor, state: CellState): CellState;

    /**
     * Runs all layers; `options` as for their `forward`. Output [T, N, D H] in the order of `batchFirst`, and the last states [layers * D, N, H] each, or all
     * of them without N.
     */
    protected runLayers(
        x: Tensor,
        given: readonly unknown[] | undefined,
        options: SequenceOptions,
    ): { output: Tensor; states: Tensor[] } {
        const batch = this.checkInput(x);
        const isBatched = x.rank === 3;
        const initial = this.initialStates(x, given, batch, isBatched);
        const ended: CellState[] = [];
        // [T, N, I]
        let sequence = !isBatched ? unsqueeze(x, 1) : this.batchFirst ? transpose(x, 0, 1) : x;
        if (!isBatched && options.lengths !== undefined)
            throw this.shapeError(`a batch of sequences for lengths`, x.shape, 'one alone has no padding');
        const isReal = realSteps(this.constructor.name, sequence, options);
        // Nothing of the padding may reach a state.
        if (isReal) sequence = where(isReal, sequence, 0);
        for (let layer = 0; layer < this.numLayers; layer++) {
            if (layer > 0)
                sequence = dropout(sequence, this.dropout, {
                    training: this.training,
                    generator: this.generator,
                });
            const outputs: Tensor[] = [];
            for (let direction = 0; direction < this.directions; direction++) {
                const start = initial.map((state) => select(state, 0, layer * this.directions + direction));
                const { output, end } = this.runDirection(sequence, layer, direction, start, isReal);
                outputs.push(output);
                ended.push(end);
            }
            sequence = outputs.length === 1 ? outputs[0] : concat(outputs, -1);
        }
        const states = initial.map((_, i) => stack(ended.map((state) => state[i])));
        if (!isBatched)
            return { output: select(sequence, 1, 0), states: states.map((state) => select(state, 1, 0)) };
        return { output: this.batchFirst ? transpose(sequence, 0, 1) : sequence, states };
    }

    // sequence [T, N, I], isReal [T, N, 1] -> output [T, N, H], end [N, H] each
    private runDirection(
        sequence: Tensor,
        layer: number,
        direction: number,
        start: CellState,
        isReal: Tensor | undefined,
    ): { output: Tensor; end: CellState } {
        const { inputs, hidden, inputBias, hiddenBias } = this.weightsOf(layer, direction);
        const steps = unbind(linear(sequence, inputs, inputBias), 0);
        const outputs = new Array<Tensor>(steps.length);
        let state = start;
        for (let i = 0; i < steps.length; i++) {
            const t = direction === 0 ? i : steps.length - 1 - i;
            const before = state;
            const after = this.cell(steps[t], linear(before[0], hidden, hiddenBias), before);
            const isStep = isReal && select(isReal, 0, t);
            // A sequence stays as it is where it has ended, or has not begun.
            state = isStep ? after.map((part, j) => where(isStep, part, before[j])) : after;
            outputs[t] = state[0];
        }
        const output = stack(outputs);
        return { output: isReal ? where(isReal, output, 0) : output, end: state };
    }

    /** The number of sequences. */
    private checkInput(x: Tensor): number {
        requireTensor('forward', x);
        const { inputSize, batchFirst } = this;
        const order = batchFirst ? 'N, T' : 'T, N';
        if ((x.rank !== 2 && x.rank !== 3) || x.shape[x.rank - 1] !== inputSize)
            throw this.shapeError(
                `[${order}, ${inputSize}] or [T, ${inputSize}]`,
                x.shape,
                'inputSize comes last',
            );
        if (x.shape[x.rank === 3 && batchFirst ? 1 : 0] === 0)
            throw this.shapeError(`[${order}, ${inputSize}] of at least one step`, x.shape, '');
        return x.rank === 2 ? 1 : (x.shape[batchFirst ? 0 : 1] ?? 0);
    }

    /** The states before the first step, [layers * D, N, H] each. */
    private initialStates(
        x: Tensor,
        given: readonly unknown[] | undefined,
        batch: number,
        isBatched: boolean,
    ): readonly Tensor[] {
        const count = this.numLayers * this.directions;
        const shape = [count, batch, this.hiddenSize];
        if (given === undefined) {
            const dtype = this.weightsOf(0, 0).inputs.dtype;
            const one = zeros(shape, { dtype, device: x.device });
            return Array.from({ length: this.states }, () => one);
        }
        const expected = isBatched ? shape : [count, this.hiddenSize];
        return given.map((state, i) => {
            requireTensor('forward', state, `initial state ${i}`);
            if (!sameShape(state.shape, expected))
                throw this.shapeError(
                    `an initial state ${shapeText(expected)}`,
                    state.shape,
                    'it is [layers * directions, batch, hiddenSize], also with batchFirst',
                );
            return reshape(state, shape);
        });
    }

    override describe(): string {
        const { inputSize, hiddenSize, numLayers, bias, batchFirst, bidirectional } = this;
        return (
            `${inputSize}, ${hiddenSize}${numLayers > 1 ? `, numLayers: ${numLayers}` : ''}` +
            `${bias ? '' : ', bias: false'}${batchFirst ? ', batchFirst: true' : ''}` +
            `${this.dropout > 0 ? `, dropout: ${this.dropout}` : ''}${bidirectional ? ', bidirectional: true' : ''}`
        );
    }
}

function suffixOf(layer: number, direction: number): `l${string}` {
    return `l${layer}${direction === 1 ? '_reverse' : ''}`;
}
