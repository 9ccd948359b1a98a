import assert from 'node:assert/strict';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';

describe('import direction', () => {
    const { disableTypeChecked } = tseslint.configs;
    const eslint = new ESLint({
        // The files linted here are not on disk, so they have no types.
        overrideConfig: [
            { ...disableTypeChecked, languageOptions: { parserOptions: { projectService: false } } },
        ] as ESLint.Options['overrideConfig'],
        ruleFilter: ({ ruleId }) => ruleId === 'no-restricted-imports' || ruleId === 'no-restricted-syntax',
    });

    async function complaints(file: string, code: string): Promise<number> {
        const [result] = await eslint.lintText(code, { filePath: file });
        assert.equal(result?.fatalErrorCount, 0);
        return result.errorCount;
    }

    const refused: [file: string, target: string][] = [
        ['lib/native/a.ts', '../tensor/tensor.js'],
        ['lib/tensor/a.ts', '../ops/matmul.js'],
        ['lib/tensor/deep/a.ts', '../../autograd/tape.js'],
        ['lib/autograd/a.ts', '../program/capture.js'],
        ['lib/ops/a.ts', '../nn/module.js'],
        ['lib/optim/a.ts', '../data/loader.js'],
        ['lib/nn/a.ts', '../index.js'],
        ['lib/train/a.ts', '../cli/main.js'],
        ['lib/io/a.ts', '../tensor/tensor.js'],
        ['lib/support/a.ts', '../io/safetensors.js'],
        ['lib/plot/a.ts', '../track/run.js'],
    ];
    for (const [file, target] of refused) {
        it(`refuses ${target} in ${file}, also as a type`, async () => {
            assert.equal(await complaints(file, `import { a } from '${target}';\na();\n`), 1);
            assert.equal(
                await complaints(file, `import type { A } from '${target}';\nexport type B = A;\n`),
                1,
            );
            assert.equal(await complaints(file, `export { a } from '${target}';\n`), 1);
        });
    }

    const accepted: [file: string, target: string][] = [
        ['lib/tensor/a.ts', '../native/addon.js'],
        ['lib/tensor/a.ts', './shape.js'],
        ['lib/tensor/a.ts', '../io/safetensors.js'],
        ['lib/program/a.ts', '../autograd/tape.js'],
        ['lib/nn/layers/a.ts', '../module.js'],
        ['lib/train/a.ts', '../optim/adam.js'],
        ['lib/plot/a.ts', '../support/text.js'],
        ['lib/cli/a.ts', '../train/trainer.js'],
        ['lib/index.ts', './nn/module.js'],
        ['test/tensor/a.test.ts', '../../lib/nn/module.js'],
    ];
    for (const [file, target] of accepted) {
        it(`accepts ${target} in ${file}`, async () => {
            assert.equal(await complaints(file, `import { a } from '${target}';\na();\n`), 0);
        });
    }

    it('lets only entry points, the loader and the addon read the environment', async () => {
        const code = 'export const a = process.env.A;\n';
        for (const file of ['lib/tensor/a.ts', 'lib/train/a.ts', 'lib/native/call.ts']) {
            assert.equal(await complaints(file, code), 1, file);
        }
        for (const file of [
            'lib/native/loader.ts',
            'lib/cli/main.ts',
            'scripts/train.ts',
            'test/a.test.ts',
        ]) {
            assert.equal(await complaints(file, code), 0, file);
        }
    });
});
