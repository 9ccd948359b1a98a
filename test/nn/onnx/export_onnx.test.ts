import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manualSeed, nn, noGrad, randn, saveNpz, Tensor } from '../../../lib/index.js';
import { layerSpecs } from '../../../lib/nn/layer_specs/index.js';
import { runPython } from '../../support/python.js';
import { onnxCases, type OnnxCase } from './onnx_cases.js';

interface Found {
    readonly problem: string | null;
    readonly errors: readonly number[];
    readonly input?: readonly (number | string)[];
    readonly initializers?: readonly string[];
}

/** Weights and statistics that would show if they were mixed up or left out. */
function stir({ model, shape, input }: OnnxCase): void {
    noGrad(() => {
        for (const parameter of model.parameters())
            parameter.copy_(randn(parameter.shape).mul(0.4).add(0.2).to(parameter.dtype));
        const hasStatistics = model.namedBuffers().length > 0;
        if (hasStatistics) for (let i = 0; i < 3; i++) model.forward(input([7, ...shape]));
    });
    model.eval();
}

const outputOf = (model: nn.SequentialLayer, x: Tensor): Tensor => {
    const output = noGrad(() => model.forward(x));
    return output instanceof Tensor ? output : output[0];
};

/** Largest share of the output's scale: sums in another order, or the rounding of 16 bits. */
const bound = (name: string): number => (name === 'float16' ? 4e-3 : name === 'float64' ? 1e-11 : 1e-5);

describe('every layer as ONNX', () => {
    let folder = '';
    const tensors: Record<string, Tensor> = {};
    let cases: OnnxCase[] = [];

    before(async () => {
        folder = mkdtempSync(join(tmpdir(), 'nativegrad-onnx-'));
        manualSeed(3);
        cases = onnxCases();
        const written: Promise<void>[] = [];
        for (const [i, each] of cases.entries()) {
            const { model, shape, input } = each;
            stir(each);
            for (const batch of [1, 2, 5]) {
                const x = input([batch, ...shape]);
                tensors[`${i}.x${batch}`] = x;
                tensors[`${i}.y${batch}`] = outputOf(model, x);
            }
            const { dtype } = tensors[`${i}.x1`];
            written.push(nn.exportOnnx(model, join(folder, `${i}.onnx`), { inputShape: shape, dtype }));
        }
        written.push(saveNpz(join(folder, 'expected.npz'), tensors));
        await Promise.all(written);
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('has a case', () => {
        const seen = cases.flatMap(({ model }) => model.modules().map((module) => module.constructor.name));
        assert.deepEqual(
            [...layerSpecs.keys()].filter((type) => !seen.includes(type)),
            [],
            'add rows to onnx_cases.ts',
        );
    });

    it('gives the same in ONNX Runtime, for any batch', () => {
        const program = readFileSync(join(import.meta.dirname, 'check_onnx.py'), 'utf8');
        const { found } = JSON.parse(runPython(program, [folder])) as { found: Record<string, Found> };
        const failures = cases.flatMap(({ name, shape, model }, i) => {
            const { problem, errors, input, initializers = [] } = found[i];
            if (problem !== null) return [`${name}: ${problem}`];
            const worst = Math.max(...errors);
            if (errors.length !== 3 || !(worst <= bound(name))) return [`${name}: differs by ${worst}`];
            assert.deepEqual(input, ['batch', ...shape], name);
            const names = new Set(model.stateDict().keys());
            const stranger = initializers.find((own) => !names.has(own));
            return stranger === undefined ? [] : [`${name}: initializer ${stranger}`];
        });
        assert.deepEqual(failures, []);
    });

    it('comes back with the same bits, statistics and counts', async () => {
        for (const [i, { name, model, shape }] of cases.entries()) {
            // Layers alone and modules of one's own are not described.
            if (!(model instanceof nn.Sequential) || /its own|examples/.test(name)) continue;
            const { model: copy, info } = await nn.loadOnnx(join(folder, `${i}.onnx`));
            assert.deepEqual(info, { inputShape: shape });
            assert.deepEqual([...copy.stateDict().keys()], [...model.stateDict().keys()], name);
            for (const [key, own] of model.stateDict())
                assert.deepEqual(copy.stateDict().get(key)?.toArray(), own.toArray(), `${name}: ${key}`);
            const y = outputOf(copy, tensors[`${i}.x5`]);
            assert.deepEqual(y.toArray(), tensors[`${i}.y5`].toArray(), name);
        }
    });
});
