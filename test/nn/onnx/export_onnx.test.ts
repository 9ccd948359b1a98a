import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualSeed, nn, noGrad, randn, saveNpz, Tensor } from '../../../lib/index.js';
import { layerSpecs } from '../../../lib/nn/layer_specs/index.js';
import { runPython } from '../../support/python.js';
import { useTemporaryFolder } from '../../support/temporary_folder.js';
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

/** Largest share of the output's scale: sums in another order, or the rounding of 16 bits. */
const bound = (name: string): number => (name === 'float16' ? 4e-3 : name === 'float64' ? 1e-11 : 1e-5);

describe('exportOnnx', () => {
    const folder = useTemporaryFolder();

    it('writes every layer so that ONNX Runtime gives the same, for any batch', async function () {
        this.timeout(120_000);
        manualSeed(3);
        const cases = onnxCases();
        for (const [i, each] of cases.entries()) {
            const { model, shape, input } = each;
            stir(each);
            const tensors: Record<string, Tensor> = {};
            for (const batch of [1, 2, 5]) {
                const x = input([batch, ...shape]);
                const output = noGrad(() => model.forward(x));
                const y = output instanceof Tensor ? output : output[0];
                tensors[`x${batch}`] = x;
                tensors[`y${batch}`] = y;
            }
            await saveNpz(join(folder(), `${i}.npz`), tensors);
            await nn.exportOnnx(model, join(folder(), `${i}.onnx`), {
                inputShape: shape,
                dtype: tensors.x1.dtype,
            });
        }
        const program = readFileSync(join(import.meta.dirname, 'check_onnx.py'), 'utf8');
        const { found } = JSON.parse(runPython(program, [folder()])) as { found: Record<string, Found> };
        const failures = cases.flatMap(({ name, shape, model }, i) => {
            const { problem, errors, input, initializers } = found[i];
            const worst = Math.max(...errors);
            if (problem !== null) return [`${name}: ${problem}`];
            if (errors.length !== 3 || !(worst <= bound(name))) return [`${name}: differs by ${worst}`];
            assert.deepEqual(input, ['batch', ...shape], name);
            const names = new Set(model.stateDict().keys());
            assert.ok(
                initializers?.every((own) => names.has(own)),
                name,
            );
            return [];
        });
        assert.deepEqual(failures, []);
        const seen = cases.flatMap(({ model }) => model.modules().map((module) => module.constructor.name));
        assert.deepEqual(
            [...layerSpecs.keys()].filter((type) => !seen.includes(type)),
            [],
            'layers without a case in onnx_cases.ts',
        );
    });
});
