import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
    manualSeed,
    rand,
    randint,
    randn,
    setDefaultDevice,
    Tensor,
    tensor,
    zeros,
    ones,
    type Device,
    type DType,
} from '../../../lib/index.js';
import { native } from '../../../lib/native/addon.js';
import { binaryCode, run, unaryCode } from '../../../lib/native/call.js';
import { beginRecording, endRecording, programExecution, replay } from '../../../lib/native/program.js';
import type { Shape } from '../../../lib/tensor/shape.js';

type Parameters = readonly number[];

/** A call whose parameters differ from step to step; `state` is written in place. */
interface Case {
    readonly op: string;
    readonly inputs: readonly Tensor[];
    readonly results?: readonly (readonly [Shape, DType])[];
    readonly state?: readonly Tensor[];
    readonly parameters: (step: number) => Parameters;
}

const steps = 5;

function adam(count: number, amsgrad: number): (step: number) => Parameters {
    return (i) => [
        0.01 * (i + 1),
        0.9 - 0.01 * i,
        0.99 - 0.01 * i,
        1e-8 * (i + 1),
        0.1 * i + 0.01,
        count + i,
        0,
        amsgrad,
        0,
    ];
}

const sgd = (i: number): Parameters => [
    0.1 / (i + 1),
    0.9 - 0.1 * i,
    0.1 * i,
    0.01 * i,
    1,
    1,
    i === 2 ? 1 : 0,
    0,
];

const constants = (count: number, of: (k: number) => number): number[] =>
    Array.from({ length: count }, (_, k) => of(k));

/** Row numbers of functions in a chain: unary ones first. */
const unaryCount = unaryCode('softplus') + 1;

function chain(i: number): Parameters {
    const functions = [unaryCode('leaky_relu'), unaryCount + binaryCode('add'), unaryCode('clamp')];
    return [
        ...[3, ...functions],
        ...[3, 0, 2, 3],
        ...[3, -1, 1, -1],
        ...[2, 1, 2],
        ...constants(16, (k) => (k === 2 ? -0.5 - 0.1 * i : 0.2 + 0.1 * i + k)),
        ...constants(16, (k) => 0.5 + 0.1 * i + k),
    ];
}

function cases(dtype: DType): Case[] {
    const draw = (shape: Shape): Tensor => randn(shape).to(dtype);
    const like = (shape: Shape): readonly [Shape, DType] => [shape, dtype];
    const scores = draw([6, 5]);
    const labels = randint(0, 5, [6]);
    const images = draw([2, 3, 4, 4]);
    const positive = (shape: Shape): Tensor => rand(shape).add(0.5).to(dtype);
    const half: Case[] = [
        {
            op: 'linear_backward_weight_adam',
            inputs: [draw([8, 6]), draw([8, 5])],
            state: [draw([6, 5]), zeros([6, 5]), positive([6, 5]), draw([6]), zeros([6]), positive([6])],
            parameters: adam(1, 0),
        },
        {
            op: 'linear_backward_weight_sgd',
            inputs: [draw([8, 6]), draw([8, 5])],
            state: [draw([6, 5]), draw([6, 5])],
            parameters: sgd,
        },
    ];
    const norms = ['batch_norm', 'batch_norm_relu', 'batch_norm_relu_pool'].map((op): Case => {
        const pooled = op.endsWith('pool');
        return {
            op,
            inputs: [images, positive([3]), draw([3])],
            results: pooled
                ? [like([2, 3, 2, 2]), [[2, 3, 2, 2], 'uint8'], like([3]), like([3])]
                : [like([2, 3, 4, 4]), like([3]), like([3])],
            state: [draw([3]), positive([3])],
            parameters: (i) => [0.1 + 0.1 * i, 1e-5 * (i + 1), 1, 1],
        };
    });
    return [
        {
            op: 'unary',
            inputs: [draw([4, 7])],
            results: [like([4, 7])],
            parameters: (i) => [unaryCode('clamp'), -0.5 - 0.1 * i, 0.3 + 0.1 * i],
        },
        {
            op: 'binary',
            inputs: [draw([4, 7]), draw([4, 7])],
            results: [like([4, 7])],
            parameters: (i) => [binaryCode('leaky_relu_backward'), 0.1 + 0.1 * i, i],
        },
        {
            op: 'chain',
            inputs: [draw([4, 8]), draw([4, 8])],
            results: [like([4, 8]), like([4, 8])],
            parameters: chain,
        },
        {
            op: 'cross_entropy',
            inputs: [scores, labels],
            results: [like([6])],
            parameters: (i) => [-100, 0.1 * i],
        },
        {
            op: 'cross_entropy_backward',
            inputs: [draw([6]), scores, labels],
            results: [like([6, 5])],
            parameters: (i) => [-100, 0.1 * i, 0],
        },
        ...norms,
        {
            op: 'layer_norm',
            inputs: [draw([4, 6]), draw([6]), draw([6])],
            results: [like([4, 6]), like([4]), like([4])],
            parameters: (i) => [1, 1e-5 * (i + 1)],
        },
        {
            op: 'dropout',
            inputs: [draw([5, 9])],
            results: [like([5, 9])],
            parameters: (i) => [0.1 + 0.2 * i, 7 + i, 3 * i],
        },
        // -> uniform, normal and whole numbers
        ...[0, 1, 2].map((distribution): Case => ({
            op: 'random',
            inputs: [],
            results: [like([33])],
            parameters: (i) => [distribution, 1 + i, 9 + 2 * i, 11 + i, 5 * i],
        })),
        {
            op: 'adam_step',
            inputs: [],
            state: [draw([9]), draw([9]), zeros([9], { dtype }), positive([9]), positive([9])],
            parameters: adam(1, 1),
        },
        { op: 'sgd_step', inputs: [], state: [draw([9]), draw([9]), draw([9])], parameters: sgd },
        {
            op: 'rmsprop_step',
            inputs: [],
            state: [draw([9]), draw([9]), positive([9]).add(4), draw([9]).mul(0.1), draw([9])],
            parameters: (i) => [
                0.01 * (i + 1),
                0.9 - 0.1 * i,
                1e-8 * (i + 1),
                0.1 * i,
                0.5 + 0.1 * i,
                1,
                1,
                0,
            ],
        },
        {
            op: 'amp_factor',
            inputs: [tensor([0.5]).reshape([]), tensor([4, 9]).to('float64')],
            results: [
                [[], 'float32'],
                [[], 'float32'],
            ],
            parameters: (i) => [0.5 + i],
        },
        {
            op: 'amp_update',
            inputs: [],
            state: [ones([]), ones([]), zeros([3], { dtype: 'int32' }), zeros([], { dtype: 'int32' })],
            parameters: (i) => [2 + i, 0.5 + 0.1 * i, i === 3 ? 9 : 1],
        },
        ...(dtype === 'float32' ? half : []),
    ];
}

/** Parameters whose kernels on a GPU take no number from them: constants of functions without any, and ways back. */
const readsNoSlot = new Set([
    'linear_activation',
    'linear_residual',
    'linear_backward_input',
    'batch_norm_backward',
    'batch_norm_relu_backward',
    'batch_norm_relu_pool_backward',
]);

function opsWithSlots(): string[] {
    const text = (name: string): string =>
        readFileSync(new URL(`../../../native/ops/${name}`, import.meta.url), 'utf8');
    const structs = [...text('op_params.h').matchAll(/struct (\w+Params) \{(.*?)\n\};/gs)]
        .filter(([, , body = '']) => body.includes('ScalarSlot'))
        .map(([, name]) => name);
    return [...text('op_table.def').matchAll(/^X\((\w+), (\w+),/gm)]
        .filter(([, , params]) => structs.includes(params))
        .map(([, op = '']) => op);
}

const outputsOf = ({ results = [], state = [] }: Case): Tensor[] => [
    ...results.map(([shape, dtype]) => new Tensor(shape, dtype, { device: 'cuda' })),
    ...state,
];

const copies = (of: Case): Case => ({ ...of, state: of.state?.map((x) => x.clone()) ?? [] });

const bytesOf = (x: Tensor): unknown => Array.from(x.contiguous().dataSync(), Number);

/** Each step as a call of its own: the results step by step, and the state at the end. */
function callByCall(given: Case): unknown {
    const of = copies(given);
    const results = Array.from({ length: steps }, (_, step) => {
        const outputs = outputsOf(of);
        run(of.op, of.inputs, outputs, of.parameters(step));
        return outputs.slice(0, of.results?.length ?? 0).map(bytesOf);
    });
    return { results, state: of.state?.map(bytesOf) };
}

/** The same with every slot of the call as one that changes. */
function byGraph(given: Case): { execution: string; values: unknown; changed: number } {
    const of = copies(given);
    beginRecording([], []);
    const outputs = outputsOf(of);
    run(of.op, of.inputs, outputs, of.parameters(0));
    const block = native.block();
    const first = 3 * outputs.length;
    const slots = Array.from({ length: block[first] ?? 0 }, (_, k) => ({
        position: block[first + 1 + 2 * k] ?? 0,
        slot: block[first + 2 + 2 * k] ?? 0,
    }));
    const made = outputs.slice(0, of.results?.length ?? 0).map((x) => x.contiguous());
    const [program] = endRecording(
        made,
        [],
        slots.map(({ slot }) => slot),
        { exact: true, fused: false },
    );
    if (!program) throw new Error('no program');
    const rows = Float64Array.from(
        Array.from({ length: steps }, (_, step) =>
            slots.map(({ position }) => of.parameters(step)[position] ?? NaN),
        ).flat(),
    );
    const targets = (of.results ?? []).map(([shape, dtype]) => zeros([steps, ...shape], { dtype }));
    replay([{ program, replay: { steps, rows, inputs: [], outputs: targets, stacked: true } }]);
    const results = Array.from({ length: steps }, (_, step) =>
        targets.map((x) => bytesOf(x.select(0, step))),
    );
    const last = rows.slice(-slots.length);
    return {
        execution: programExecution(program),
        values: { results, state: of.state?.map(bytesOf) },
        changed: slots.filter((_, k) => last[k] !== rows[k]).length,
    };
}

describe('numbers that change from step to step of a graph', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));

    it('are tried with every op that reads some', () => {
        const tried = new Set(cases('float32').map(({ op }) => op));
        for (const op of opsWithSlots()) assert.equal(tried.has(op) || readsNoSlot.has(op), true, op);
    });

    for (const dtype of ['float32', 'float64'] as const) {
        it(`reach every kernel of ${dtype} with the bits of calls one by one`, () => {
            manualSeed(4);
            for (const each of cases(dtype)) {
                const expected = callByCall(each);
                const { execution, values, changed } = byGraph(each);
                assert.equal(execution, 'graph', each.op);
                assert.ok(changed > 0, each.op);
                assert.deepEqual(values, expected, each.op);
            }
        });
    }
});
