import { MultiheadAttention } from '../attention.js';
import { flag, number, size } from '../config_fields.js';
import { GRU } from '../gru.js';
import { LSTM } from '../lstm.js';
import type { InitOptions } from '../draw.js';
import type { OnnxRule } from '../onnx/graph.js';
import * as onnx from '../onnx/sequences.js';
import type { RecurrentOptions } from '../recurrent.js';
import { spec, type LayerSpec } from './spec.js';

interface RecurrentClass<L> {
    new (inputSize: number, hiddenSize: number, options: RecurrentOptions & InitOptions): L;
    readonly name: string;
}

function recurrentSpec<L extends LSTM | GRU>(
    type: RecurrentClass<L>,
    gates: number,
    onnx: OnnxRule<LSTM | GRU>,
): LayerSpec {
    return spec({
        type,
        fields: {
            inputSize: size,
            hiddenSize: size,
            numLayers: size,
            bias: flag,
            batchFirst: flag,
            dropout: number,
            bidirectional: flag,
        },
        write: ({ inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional }: L) => ({
            ...{ inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional },
        }),
        build: ({ inputSize, hiddenSize, ...options }, init) =>
            new type(inputSize, hiddenSize, { ...options, ...init }),
        elements: ({ inputSize, hiddenSize, numLayers, bias, bidirectional }) => {
            const directions = bidirectional ? 2 : 1;
            const widths = inputSize + (numLayers - 1) * directions * hiddenSize;
            const perRow = widths + numLayers * (hiddenSize + (bias ? 2 : 0));
            return directions * gates * hiddenSize * perRow;
        },
        onnx,
    });
}

export const sequences: readonly LayerSpec[] = [
    recurrentSpec(LSTM, 4, onnx.lstm),
    recurrentSpec(GRU, 3, onnx.gru),
    spec({
        type: MultiheadAttention,
        fields: {
            embedDim: size,
            numHeads: size,
            dropout: number,
            bias: flag,
            kdim: size,
            vdim: size,
            batchFirst: flag,
        },
        write: ({ embedDim, numHeads, dropout, in_proj_bias, kdim, vdim, batchFirst }) => ({
            ...{ embedDim, numHeads, dropout, bias: in_proj_bias !== null, kdim, vdim, batchFirst },
        }),
        build: ({ embedDim, numHeads, ...options }, init) =>
            new MultiheadAttention(embedDim, numHeads, { ...options, ...init }),
        elements: ({ embedDim, kdim, vdim, bias }) =>
            embedDim * (2 * embedDim + kdim + vdim) + (bias ? 4 * embedDim : 0),
        onnx: onnx.selfAttention,
    }),
];
