import { isFloat } from '../../tensor/dtype.js';
import type { ELU, GELU, LeakyReLU, Softplus } from '../activations.js';
import type { Layer } from '../module.js';
import type { LogSoftmax, Softmax } from '../softmax.js';
import type { OnnxGraph, OnnxInput, OnnxRule } from './graph.js';

/** The rule of a layer that is one operator without attributes. */
export function operator(name: string): OnnxRule<Layer> {
    return (_layer, graph, x) => graph.node(name, [floats(graph, x)]);
}

/** Integers become float32, as our functions make them. */
function floats(graph: OnnxGraph, x: OnnxInput): string {
    return isFloat(x.dtype) ? x.name : graph.node('Cast', [x.name], { to: { int: 1 } });
}

/** Integers have a ReLU of their own. */
export const relu: OnnxRule<Layer> = (_layer, graph, x) => graph.node('Relu', [x.name]);

export const silu: OnnxRule<Layer> = (_layer, graph, x) =>
    graph.node('Mul', [x.name, graph.node('Sigmoid', [x.name])]);

export const leakyRelu: OnnxRule<LeakyReLU> = ({ negativeSlope }, graph, x) =>
    graph.node('LeakyRelu', [x.name], { alpha: { float: negativeSlope } });

export const elu: OnnxRule<ELU> = ({ alpha }, graph, x) =>
    graph.node('Elu', [x.name], { alpha: { float: alpha } });

/** Opset 17 has no Gelu: x (1 + erf(x / sqrt(2))) / 2, or the tanh of Hendrycks and Gimpel. */
export const gelu: OnnxRule<GELU> = ({ approximate }, graph, { name: x, dtype }) => {
    const number = (value: number): string => graph.constant(value, dtype);
    const mul = (a: string, b: string): string => graph.node('Mul', [a, b]);
    const inner = (): string => {
        if (approximate === 'none') return graph.node('Erf', [mul(x, number(Math.SQRT1_2))]);
        const cube = mul(mul(x, mul(x, x)), number(0.044715));
        return graph.node('Tanh', [mul(graph.node('Add', [x, cube]), number(Math.sqrt(2 / Math.PI)))]);
    };
    return mul(mul(x, number(0.5)), graph.node('Add', [inner(), number(1)]));
};

/** Softplus(beta x) / beta; above a threshold that shows in the result's bits, x itself. */
export const softplus: OnnxRule<Softplus> = ({ beta, threshold }, graph, { name: x, dtype }) => {
    const scaled = beta === 1 ? x : graph.node('Mul', [x, graph.constant(beta, dtype)]);
    const soft = graph.node('Softplus', [scaled]);
    const y = beta === 1 ? soft : graph.node('Div', [soft, graph.constant(beta, dtype)]);
    const isLarge = graph.node('Greater', [scaled, graph.constant(threshold, dtype)]);
    return graph.node('Where', [isLarge, x, y]);
};

/** `operator`: Softmax or LogSoftmax. */
export function softmax(operator: string): OnnxRule<Softmax | LogSoftmax> {
    return ({ axis }, graph, x) => graph.node(operator, [floats(graph, x)], { axis: { int: axis } });
}
