import assert from 'node:assert/strict';

type Reached = Map<string, Map<string, { runs: number; workers: number }>>;
interface ReachedScript {
    readonly casesForAll: number;
    readonly sumReached: (outputs: readonly string[]) => Reached;
    readonly notReached: (reached: Reached, cases: number) => string[];
    readonly reachedTable: (reached: Reached) => string[];
}
const script = '../../scripts/check/fuzz_reached.mjs';
const { casesForAll, sumReached, notReached, reachedTable } = (await import(script)) as ReachedScript;

const first =
    'passed 3 products\nreached scalar 4 1 gemm_f32.micro[1][2]\nreached avx2 6 0 gemm_f32.micro[1][2]\n' +
    'reached scalar 2 0 gemm_f32.micro[1][3]\nreached scalar 9 1 op: matmul\n';
const second = 'reached scalar 5 2 gemm_f32.micro[1][2]\nreached scalar 1 0 op: matmul\n';

describe('what the kernel fuzz reached', () => {
    it('is summed over the processes, by name and instruction set', () => {
        const reached = sumReached([first, second]);
        assert.deepEqual(reached.get('gemm_f32.micro[1][2]')?.get('scalar'), { runs: 9, workers: 3 });
        assert.deepEqual(reached.get('gemm_f32.micro[1][2]')?.get('avx2'), { runs: 6, workers: 0 });
        assert.deepEqual(reached.get('op: matmul')?.get('scalar'), { runs: 10, workers: 1 });
    });

    it('has nothing to say where everything ran, on every set, and a worker in every group', () => {
        assert.deepEqual(notReached(sumReached([first, second]), casesForAll), []);
    });

    it('names a kernel that never ran on one of the sets', () => {
        const reached = sumReached([first, 'reached avx2 0 0 gemm_f32.micro[1][3]\n']);
        assert.deepEqual(notReached(reached, casesForAll), ['gemm_f32.micro[1][3] on avx2']);
    });

    it('names a group that no worker took part in', () => {
        const reached = sumReached([first, 'reached scalar 70 0 conv.winograd.image\n']);
        assert.deepEqual(notReached(reached, casesForAll), ['conv.winograd.image by a second thread']);
    });

    it('asks nothing of few cases, but of many that something is said', () => {
        const reached = sumReached(['reached avx2 0 0 conv.winograd.image\n']);
        assert.deepEqual(notReached(reached, casesForAll - 1), []);
        assert.deepEqual(notReached(sumReached([]), casesForAll), ['the fuzz did not say what it reached']);
    });

    it('is a line for each group: how many of its kernels ran, the least runs of one, and runs by workers', () => {
        const lines = reachedTable(sumReached([first, second]));
        assert.match(lines[1] ?? '', /^gemm_f32\.micro +2\/2 2 3 +1\/1 6 0$/);
        assert.equal(lines.length, 3);
    });
});
