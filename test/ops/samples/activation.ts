import * as ng from '../../../lib/index.js';
import { erf } from '../../support/special_functions.js';
import type { OpSample } from '../sample.js';
import { all, numbers, unaryRows } from './elementwise_rows.js';

// No element at 0, where the derivative jumps.
const away: readonly number[] = [-2.7, 1.4, 0.3, -0.6, 2.2, -1.9, 3.8, 5.1, -4.4, 0.8, -3.3];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const leaky = (slope: number) => (x: number) => (x > 0 ? x : slope * x);
const elu = (alpha: number) => (x: number) => (x > 0 ? x : alpha * Math.expm1(x));
const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const geluTanh = (x: number): number =>
    0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const softplus = (beta: number, threshold: number) => (x: number) =>
    x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta;

const floatsOnly = (op: string, call: (x: ng.Tensor) => unknown): OpSample['wrong'] => [
    {
        call: () => call(ng.ones([2], { dtype: 'int32' })),
        message: new RegExp(`\\[${op}\\] needs a float dtype, got int32`),
    },
];

export const activationSamples: readonly OpSample[] = [
    ...unaryRows('relu', ng.relu, (x) => (x > 0 || Number.isNaN(x) ? x : 0), {
        values: away,
        dtypes: numbers,
        covers: ['relu_backward'],
        wrong: [
            {
                call: () => ng.relu(ng.ones([2], { dtype: 'bool' })),
                message: /\[relu\] is not defined for bool/,
            },
        ],
    }),
    ...unaryRows('leaky_relu', (x) => ng.leakyRelu(x), leaky(0.01), {
        values: away,
        covers: ['leaky_relu_backward'],
        wrong: floatsOnly('leaky_relu', ng.leakyRelu),
    }),
    ...unaryRows('leaky_relu', (x) => ng.leakyRelu(x, 0.3), leaky(0.3), { title: 'slope 0.3', values: away }),
    ...unaryRows('elu', (x) => ng.elu(x), elu(1), {
        values: away,
        covers: ['elu_backward'],
        wrong: floatsOnly('elu', ng.elu),
    }),
    ...unaryRows('elu', (x) => ng.elu(x, 0.5), elu(0.5), { title: 'alpha 0.5', values: away }),
    ...unaryRows('gelu', (x) => ng.gelu(x), gelu, {
        covers: ['gelu_backward'],
        wrong: [
            ...floatsOnly('gelu', (x) => ng.gelu(x))!,
            {
                call: () => ng.gelu(ng.ones([2]), 'erf' as ng.GeluKind),
                message: /\[gelu\] approximate must be 'none' or 'tanh', got erf/,
            },
        ],
    }),
    ...unaryRows('gelu_tanh', (x) => ng.gelu(x, 'tanh'), geluTanh, { covers: ['gelu_tanh_backward'] }),
    ...unaryRows('silu', ng.silu, (x) => x * sigmoid(x), {
        covers: ['silu_backward'],
        wrong: floatsOnly('silu', ng.silu),
    }),
    ...unaryRows('softplus', (x) => ng.softplus(x), softplus(1, 20), {
        covers: ['softplus_backward'],
        wrong: floatsOnly('softplus', ng.softplus),
    }),
    ...unaryRows('softplus', (x) => ng.softplus(x, 2, 3), softplus(2, 3), {
        title: 'beta 2, threshold 3',
        values: away,
    }),
    ...unaryRows('sigmoid', ng.sigmoid, sigmoid, { dtypes: all, covers: ['sigmoid_backward'] }),
    ...unaryRows('tanh', ng.tanh, Math.tanh, { dtypes: all, covers: ['tanh_backward'] }),
];
