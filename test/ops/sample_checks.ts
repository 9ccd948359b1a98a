import assert from 'node:assert/strict';
import {
    cuda,
    defaultDevice,
    emptyCache,
    full,
    fromTypedArray,
    grad,
    gradcheck,
    gradgradcheck,
    memory,
    scope,
    setThreads,
    threads,
    type DType,
    type Tensor,
} from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { isFloat } from '../../lib/tensor/dtype.js';
import { assertClose, exact, toleranceOf, widen, type Tolerance, type Values } from '../support/closeness.js';
import { seededUniform, seedOf } from '../support/seeded.js';
import { onSimulator } from '../support/simulator.js';
import { expandedInputs, layouts, makeInputs, toNdArray, widened, withShapes } from './sample_inputs.js';
import type { OpSample } from './sample.js';

const floats: readonly DType[] = ['float64', 'float32', 'float16', 'bfloat16'];

export function dtypesOf(sample: OpSample): readonly DType[] {
    return sample.dtypes ?? floats;
}

/** The dtype in which the op is exact enough to judge the others by. */
function widestOf(sample: OpSample): DType {
    const dtypes = dtypesOf(sample);
    return dtypes.includes('float64') ? 'float64' : (dtypes[0] ?? 'float64');
}

function valuesOf(x: Tensor): Values {
    return { ...toNdArray(x), dtype: x.dtype };
}

function outputsOf(sample: OpSample, inputs: readonly Tensor[]): Tensor[] {
    const result = sample.run(...inputs);
    return Array.isArray(result) ? [...(result as readonly Tensor[])] : [result as Tensor];
}

export function hasGradient(sample: OpSample): boolean {
    return sample.gradient !== false && dtypesOf(sample).some(isFloat);
}

function markInputs(sample: OpSample, inputs: readonly Tensor[]): Tensor[] {
    return inputs.filter((x, index) => {
        const { dtype, differentiable } = sample.inputs[index] ?? {};
        const marked = differentiable ?? dtype === undefined;
        if (marked) x.requiresGrad = true;
        return marked;
    });
}

/** Outputs and, for float outputs of ops that have them, gradients under seeded output gradients. */
interface Outcome {
    readonly outputs: readonly Values[];
    readonly gradients: readonly (Values | null)[];
}

function evaluate(sample: OpSample, inputs: readonly Tensor[], withGradients: boolean): Outcome {
    return scope(() => {
        if (!withGradients) return { outputs: outputsOf(sample, inputs).map(valuesOf), gradients: [] };
        const marked = markInputs(sample, inputs);
        const outputs = outputsOf(sample, inputs);
        const recorded = outputs.filter((y) => y.requiresGrad);
        const gradients = recorded.map((y, index) => {
            const uniform = seededUniform(seedOf(`${sample.op} gradient ${index}`));
            const data = Float64Array.from(
                { length: y.size },
                () => Math.round((uniform() * 2 - 1) * 64) / 64,
            );
            return fromTypedArray(data, y.shape, { dtype: y.dtype });
        });
        const found = recorded.length > 0 ? grad(recorded, marked, { gradients }) : [];
        return {
            outputs: outputs.map(valuesOf),
            gradients: found.map((gradient) => gradient && valuesOf(gradient)),
        };
    });
}

/** Values as the dtype stores them: integers wrap, floats overflow to infinity. */
function stored(values: Values, dtype: DType): ArrayLike<number> {
    const each = (f: (value: number) => number): Float64Array => Float64Array.from(values.data, f);
    switch (dtype) {
        case 'uint8':
            return each((value) => ((value % 256) + 256) % 256);
        case 'int32':
            return each((value) => value | 0);
        case 'bool':
            return each((value) => Number(value !== 0));
        case 'float32':
            return each(Math.fround);
        case 'float16':
        case 'bfloat16':
            return scope(() => toNdArray(fromTypedArray(each(Number), values.shape, { dtype })).data);
        default:
            return values.data;
    }
}

function forwardTolerance(sample: OpSample, dtype: DType): Tolerance {
    const { relative = 0 } = sample.tolerance ?? {};
    return dtype === 'float64' || !isFloat(dtype)
        ? toleranceOf(dtype)
        : widen(toleranceOf(dtype), { relative, absolute: 0 });
}

/** Gradients round once per op of the backward pass, and cancel: ten times the forward tolerance, of the largest one. */
function gradientTolerance(sample: OpSample, dtype: DType, expected: Values): Tolerance {
    const { relative, absolute } = forwardTolerance(sample, dtype);
    const largest = Array.from(expected.data).reduce(
        (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
        0,
    );
    return { relative: 10 * relative, absolute: absolute + relative * largest };
}

function compareOutcomes(
    sample: OpSample,
    actual: Outcome,
    expected: Outcome,
    dtype: DType,
    what: string,
): void {
    actual.outputs.forEach((output, index) => {
        const reference = expected.outputs[index];
        const wanted = stored(reference, output.dtype);
        // What was rounded to the sample's dtype on the way cannot be closer than that in a wider result.
        const tolerance = widen(
            forwardTolerance(sample, output.dtype),
            isFloat(output.dtype) && isFloat(dtype) ? forwardTolerance(sample, dtype) : exact,
        );
        assertClose(output, { shape: reference.shape, data: wanted }, tolerance, `${what}, output ${index}`);
    });
    actual.gradients.forEach((gradient, index) => {
        const reference = expected.gradients[index];
        assert.equal(gradient === null, reference === null, `${what}: gradient ${index} is missing`);
        if (gradient && reference) {
            const tolerance = gradientTolerance(sample, dtype, reference);
            assertClose(gradient, reference, tolerance, `${what}, gradient ${index}`);
        }
    });
}

function assertSameBits(sample: OpSample, actual: Outcome, expected: Outcome, what: string): void {
    const both = [
        [actual.outputs, expected.outputs],
        [actual.gradients, expected.gradients],
    ] as const;
    for (const [got, wanted] of both) {
        got.forEach((values, index) => {
            const reference = wanted[index];
            if (values && reference) assertClose(values, reference, exact, `${sample.op}, ${what}, ${index}`);
        });
    }
}

const sets = ['scalar', 'avx2', 'avx512'];

/** Instruction sets of this processor, up to the one that the process was told to use at most; or the GPU in use. */
export const instructionSets =
    defaultDevice() === 'cpu'
        ? sets.slice(0, sets.indexOf(native.instructionSets().used) + 1)
        : [defaultDevice()];

/** Chooses one of `instructionSets`; a GPU has none to choose from. */
export function chooseInstructionSet(set: string): void {
    if (sets.includes(set)) native.useInstructionSet(set);
}

function withInstructionSet(set: string, body: () => void): void {
    const before = native.instructionSets().used;
    chooseInstructionSet(set);
    try {
        body();
    } finally {
        native.useInstructionSet(before);
    }
}

function withThreads<T>(count: number, body: () => T): T {
    const before = threads();
    setThreads(count);
    try {
        return body();
    } finally {
        setThreads(before);
    }
}

export function checkReference(sample: OpSample): void {
    const widest = widestOf(sample);
    scope(() => {
        const inputs = makeInputs(sample, widest);
        const arrays = inputs.map(toNdArray);
        const expected = sample.reference?.(...arrays);
        const [first] = evaluate(sample, inputs, false).outputs;
        assert.ok(first, 'the op has no output');
        inputs.forEach((x, index) => {
            assert.deepEqual(toNdArray(x).data, arrays[index]?.data, `input ${index} was changed`);
        });
        if (expected) assertClose(first, expected, toleranceOf(first.dtype), 'reference');
    });
}

export function checkDtypes(sample: OpSample): void {
    const widest = widestOf(sample);
    for (const dtype of dtypesOf(sample)) {
        scope(() => {
            const withGradients = hasGradient(sample) && isFloat(dtype);
            const expected = evaluate(
                sample,
                widened(sample, makeInputs(sample, dtype), widest),
                withGradients,
            );
            for (const set of instructionSets) {
                withInstructionSet(set, () => {
                    const actual = evaluate(sample, makeInputs(sample, dtype), withGradients);
                    compareOutcomes(sample, actual, expected, dtype, `${dtype} on ${set}`);
                });
            }
        });
    }
}

export function checkThreads(sample: OpSample): void {
    const dtypes = dtypesOf(sample);
    const large = dtypes.includes('float32') ? 'float32' : dtypes[0];
    for (const dtype of dtypes) {
        const rows = [sample, ...(sample.large && dtype === large ? [withShapes(sample, sample.large)] : [])];
        for (const row of rows) {
            const run = (): Outcome =>
                evaluate(row, makeInputs(row, dtype), hasGradient(row) && isFloat(dtype));
            const [one, two] = [withThreads(1, run), withThreads(2, run)];
            assertSameBits(row, two, one, `${dtype} with two threads`);
        }
    }
}

export function checkViews(sample: OpSample): void {
    const dtypes = dtypesOf(sample).filter((dtype) => dtype !== 'float64' || widestOf(sample) === dtype);
    for (const dtype of dtypes) {
        const plain = evaluate(sample, makeInputs(sample, dtype), hasGradient(sample) && isFloat(dtype));
        for (const [name, layout] of Object.entries(layouts)) {
            scope(() => {
                const rows = makeInputs(sample, dtype);
                const views = rows.map(layout);
                if (views.every((view) => view === null)) return;
                const inputs = views.map((view, index) => view ?? rows[index]);
                compareLayouts(sample, inputs, plain, dtype, name);
            });
        }
        scope(() => {
            const { views, copies } = expandedInputs(makeInputs(sample, dtype));
            const expected = evaluate(sample, copies, hasGradient(sample) && isFloat(dtype));
            compareLayouts(sample, views, expected, dtype, 'expanded');
        });
    }
}

function compareLayouts(
    sample: OpSample,
    inputs: readonly Tensor[],
    expected: Outcome,
    dtype: DType,
    name: string,
): void {
    const actual = evaluate(sample, inputs, hasGradient(sample) && isFloat(dtype));
    const what = `${dtype}, inputs ${name}`;
    if (sample.exactOnViews !== false) {
        assertSameBits(sample, { ...actual, gradients: [] }, { ...expected, gradients: [] }, what);
    }
    compareOutcomes(sample, actual, expected, dtype, what);
}

/** Fills the allocator's cached blocks of every size up to 14 KB with a pattern that is NaN or absurd in every dtype. */
function poisonCache(): void {
    const blocks: Tensor[] = [];
    for (let bytes = 64; bytes <= 8192; bytes *= 2) {
        for (let quarter = 0; quarter < 4; quarter++) {
            const words = (bytes + (bytes / 4) * quarter) / 4;
            for (let copies = 0; copies < 5; copies++) blocks.push(full([words], NaN));
        }
    }
    for (const block of blocks) block.dispose();
}

export function checkOverwrites(sample: OpSample): void {
    for (const dtype of dtypesOf(sample)) {
        scope(() => {
            const withGradients = hasGradient(sample) && isFloat(dtype);
            const inputs = makeInputs(sample, dtype);
            emptyCache();
            const clean = evaluate(sample, inputs, withGradients);
            poisonCache();
            const poisoned = evaluate(sample, inputs, withGradients);
            assertSameBits(sample, poisoned, clean, `${dtype} in memory that held NaN`);
        });
    }
}

/** Each element. The simulator would take minutes for that: there the derivatives along four directions. */
const gradcheckOptions = onSimulator ? { directions: 4 } : {};

export function checkGradient(sample: OpSample): void {
    scope(() => {
        const inputs = makeInputs(sample, 'float64');
        markInputs(sample, inputs);
        gradcheck((...xs) => sample.run(...xs), inputs, gradcheckOptions);
        if (sample.secondOrder) gradgradcheck((...xs) => sample.run(...xs), inputs, gradcheckOptions);
    });
}

export function checkZeroSizes(sample: OpSample, shapes: readonly (readonly number[])[]): void {
    const row = withShapes(sample, shapes);
    for (const dtype of dtypesOf(sample)) {
        scope(() => {
            const inputs = makeInputs(row, dtype);
            const arrays = inputs.map(toNdArray);
            const { outputs, gradients } = evaluate(row, inputs, hasGradient(row) && isFloat(dtype));
            const expected = row.reference?.(...arrays);
            if (expected) {
                assertClose(outputs[0], expected, toleranceOf(outputs[0].dtype), `${dtype}, zero sizes`);
            }
            const marked = markInputs(row, isFloat(dtype) ? inputs : []);
            gradients.forEach((gradient, index) => {
                if (gradient) assert.deepEqual([...gradient.shape], [...marked[index].shape]);
            });
        });
    }
}

/** Runs a call that must throw, to the end: a GPU looks at values later. */
export function runWrong(call: () => unknown): void {
    scope(() => {
        call();
        if (defaultDevice() !== 'cpu') cuda.synchronize(defaultDevice());
    });
}

/** What is told when results are waited for names the kernel's op, as gather for take. */
function toldByName(message: RegExp, error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    if (!error.message.endsWith('found when the results were waited for')) return message.test(error.message);
    return new RegExp(message.source.replace(/^\\\[\w+\\\]/, String.raw`\[\w+\]`)).test(error.message);
}

export function checkWrong(call: () => unknown, message: RegExp): void {
    const before = memory();
    assert.throws(
        () => runWrong(call),
        (error) => {
            if (!toldByName(message, error)) assert.match(String(error), message);
            return true;
        },
    );
    const after = memory();
    assert.equal(after.liveBytes, before.liveBytes, 'a refused call must not keep memory');
    assert.equal(after.tensors, before.tensors, 'a refused call must not keep tensors');
}
