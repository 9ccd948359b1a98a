import assert from 'node:assert/strict';

interface FuzzScript {
    readonly summarize: (results: readonly { code: number; output: string }[]) => {
        cases: Map<string, number>;
        passed: number;
        failed: number;
    };
}
const script = '../../scripts/check/fuzz_kernels.mjs';
const { summarize } = (await import(script)) as FuzzScript;

const failure =
    'FAILED --seed 1 --first 7 --cases 1, layer norm, avx2: layer_norm float32[2, 3]\n  y[0] is 1\n';

describe('the sum of the kernel fuzz', () => {
    it('adds up the cases of all processes', () => {
        const results = [
            { code: 0, output: 'passed 3 products\npassed 2 layer norm\n' },
            { code: 0, output: 'passed 4 products\n' },
        ];
        const { cases, passed, failed } = summarize(results);
        assert.deepEqual(Object.fromEntries(cases), { products: 7, 'layer norm': 2 });
        assert.deepEqual([passed, failed], [2, 0]);
    });

    it('counts a family that failed in any process as failed', () => {
        const results = [
            { code: 0, output: 'passed 3 products\npassed 2 layer norm\n' },
            { code: 1, output: `${failure}passed 4 products\n` },
        ];
        const { passed, failed } = summarize(results);
        assert.deepEqual([passed, failed], [1, 1]);
    });

    it('counts a process that said nothing as a failure', () => {
        const { failed } = summarize([{ code: 1, output: '' }]);
        assert.equal(failed, 1);
    });
});
