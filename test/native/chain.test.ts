import assert from 'node:assert/strict';
import { fromTypedArray, scope, Tensor, zeros, type DType } from '../../lib/index.js';
import { contract } from '../../lib/native/addon.js';
import { binaryCode, run, unaryCode } from '../../lib/native/call.js';
import { sizeOf, type Shape } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

const maxSteps = 16;

/** A function, its operands (inputs, then results of earlier steps) and constants. */
interface Step {
    readonly name: string;
    readonly operands: readonly number[];
    readonly constants?: readonly [number, number];
}

const codeOf = ({ name, operands }: Step): number =>
    operands.length === 1 ? unaryCode(name) : contract.unary.length + binaryCode(name);

function parametersOf(steps: readonly Step[], outputs: readonly number[]): number[] {
    const list = (values: readonly number[]): number[] => [values.length, ...values];
    const constants = (i: 0 | 1): number[] =>
        Array.from({ length: maxSteps }, (_, step) => steps[step]?.constants?.[i] ?? 0);
    return [
        ...list(steps.map(codeOf)),
        ...list(steps.map(({ operands }) => operands[0] ?? 0)),
        ...list(steps.map(({ operands }) => operands[1] ?? 0)),
        ...list(outputs),
        ...constants(0),
        ...constants(1),
    ];
}

type Input = Tensor | number;

function chained(
    inputs: readonly Input[],
    steps: readonly Step[],
    outputs: readonly number[],
    like: Tensor,
): Tensor[] {
    const results = outputs.map(() => new Tensor(like.shape, like.dtype));
    run('chain', inputs, results, parametersOf(steps, outputs));
    return results;
}

function oneByOne(
    inputs: readonly Input[],
    steps: readonly Step[],
    outputs: readonly number[],
    like: Tensor,
): Tensor[] {
    const values: Input[] = [...inputs];
    for (const { name, operands, constants = [0, 0] } of steps) {
        const out = new Tensor(like.shape, like.dtype);
        const [op, code] = operands.length === 1 ? ['unary', unaryCode(name)] : ['binary', binaryCode(name)];
        run(
            op,
            operands.map((i) => values[i] ?? 0),
            [out],
            [code, ...constants],
        );
        values.push(out);
    }
    return outputs.map((step) => values[inputs.length + step] as Tensor);
}

function draw(shape: Shape, seed: string, dtype: DType): Tensor {
    const uniform = seededUniform(seedOf(seed));
    const data = Array.from({ length: sizeOf(shape) }, () => uniform() * 4 - 2);
    return fromTypedArray(Float64Array.from(data), shape).to(dtype);
}

const bytes = (x: Tensor): Buffer => {
    const data = x.dataSync();
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
};

const unaries = ['neg', 'square', 'tanh', 'sigmoid', 'relu', 'gelu', 'abs', 'exp'];
const binaries = ['add', 'sub', 'mul', 'div', 'maximum', 'relu_backward', 'tanh_backward'];

/** Any chain of the given length over inputs of every kind. */
function randomChain(
    length: number,
    inputs: number,
    uniform: () => number,
): { steps: Step[]; outputs: number[] } {
    const below = (n: number): number => Math.floor(uniform() * n);
    const steps = Array.from({ length }, (_, i): Step => {
        const recent = inputs + i - 1;
        const first = i > 0 && uniform() < 0.7 ? recent : below(inputs + i);
        return uniform() < 0.4
            ? { name: unaries[below(unaries.length)] ?? 'neg', operands: [first] }
            : { name: binaries[below(binaries.length)] ?? 'add', operands: [first, below(inputs + i)] };
    });
    return { steps, outputs: steps.flatMap((_, i) => (i === length - 1 || uniform() < 0.2 ? [i] : [])) };
}

describe('chain', () => {
    const shapes: Shape[] = [
        [],
        [1],
        [7],
        [3, 5],
        [40, 33],
        [5, 1024],
        [3, 1500],
        [2, 3, 700],
        [64, 256],
        [17, 1],
        [9000],
    ];
    for (const set of availableSets) {
        it(`has the bits of its functions one by one (${set})`, () => {
            withSet(set, () => {
                const uniform = seededUniform(5);
                shapes.forEach((shape) => {
                    for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
                        for (const length of [1, 2, 5, 16]) {
                            scope(() => {
                                const row = shape.length > 0 ? draw(shape.slice(-1), 'row', dtype) : 0.5;
                                const inputs = [
                                    draw(shape, 'a', dtype),
                                    1.25,
                                    row,
                                    draw([], 'c', dtype),
                                    draw(shape, 'b', dtype),
                                ];
                                const like = inputs[0] as Tensor;
                                const { steps, outputs } = randomChain(length, inputs.length, uniform);
                                const wanted = oneByOne(inputs, steps, outputs, like);
                                for (const count of [1, 3]) {
                                    const got = withThreads(count, () =>
                                        chained(inputs, steps, outputs, like),
                                    );
                                    wanted.forEach((x, i) => {
                                        assert.ok(
                                            bytes(got[i] ?? like).equals(bytes(x)),
                                            `${dtype} [${shape.join(', ')}] ${count} threads, output ${i}: ${JSON.stringify(steps)}`,
                                        );
                                    });
                                }
                            });
                        }
                    }
                });
            });
        });
    }

    it('takes the constants of its functions, and carries NaN', () => {
        const x = fromTypedArray(new Float32Array([-2, -1, 0, 1, NaN]), [5]);
        const steps: Step[] = [
            { name: 'leaky_relu', operands: [0], constants: [0.25, 0] },
            { name: 'clamp', operands: [1], constants: [-0.3, 0.5] },
        ];
        const [y] = chained([x], steps, [1], x);
        assert.deepEqual(Array.from(y?.dataSync() ?? [], Number).slice(0, 4), [
            Math.fround(-0.3),
            -0.25,
            0,
            0.5,
        ]);
        assert.ok(Number.isNaN(Number(y?.dataSync()[4])));
    });

    it('follows dense orders of memory other than row-major', () => {
        const x = draw([4, 6], 'x', 'float32').transpose(0, 1);
        const steps: Step[] = [
            { name: 'tanh', operands: [0] },
            { name: 'mul', operands: [1, 0] },
        ];
        const [y] = chained([x], steps, [1], x);
        assert.deepEqual(y?.toArray(), x.tanh().mul(x).toArray());
    });

    it('does nothing to no elements', () => {
        const x = zeros([0, 4]);
        assert.equal(chained([x], [{ name: 'exp', operands: [0] }], [0], x)[0]?.size, 0);
    });

    it('refuses what does not fit', () => {
        const x = zeros([4, 3]);
        const call =
            (inputs: Input[], steps: Step[], outputs: number[], like = x) =>
            (): unknown =>
                chained(inputs, steps, outputs, like);
        const relu: Step = { name: 'relu', operands: [0] };
        const refused: [() => unknown, RegExp][] = [
            [call([x], [], []), /\[chain\] needs an output/],
            [call([x], [{ name: 'add', operands: [0, 1] }], [0]), /step 0 reads what is not there yet/],
            [call([x], [relu], [1]), /no step for output 0/],
            [call([zeros([4])], [relu], [0]), /neither laid out as the result, nor a row, nor a number/],
            [call([x.to('float64')], [relu], [0]), /needs operands of one dtype/],
            [call([x], [relu], [0], zeros([4, 3], { dtype: 'bfloat16' })), /needs/],
            [
                () => {
                    const parameters = parametersOf([relu], [0]);
                    parameters[1] = 999;
                    run('chain', [x], [new Tensor(x.shape, x.dtype)], parameters);
                },
                /no function 999/,
            ],
        ];
        for (const [body, message] of refused) assert.throws(body, message);
    });
});
