import assert from 'node:assert/strict';

import type { Benchmark } from '../../scripts/bench/benchmark.js';
import { BENCHMARKS } from '../../scripts/bench/cases/index.js';
import { chooseRows, groupsOf, UnknownRowError } from '../../scripts/bench/choose.js';

const namesOf = (rows: readonly Benchmark[]): string[] => rows.map(({ name }) => name);

describe('bench rows', () => {
    it('are all chosen without a word, and by group or name in the fixed order', () => {
        assert.deepEqual(chooseRows(BENCHMARKS, []), BENCHMARKS);
        assert.deepEqual(namesOf(chooseRows(BENCHMARKS, ['gemm_f32_512'])), ['gemm_f32_512']);
        assert.deepEqual(namesOf(chooseRows(BENCHMARKS, ['cnn_f32_b128', 'mlp', 'mlp_f32_b64'])), [
            'mlp_f32_b64',
            'mlp_bf16_b64',
            'mlp_f32_b64_eager',
            'cnn_f32_b128',
        ]);
        assert.throws(
            () => chooseRows(BENCHMARKS, ['mlp', 'nope']),
            (error) =>
                error instanceof UnknownRowError &&
                error.message.includes('no benchmark nope; there are gemm, '),
        );
    });

    it('have names of their own, which no group has', () => {
        const names = namesOf(BENCHMARKS);
        assert.equal(new Set(names).size, names.length);
        const groups = groupsOf(BENCHMARKS);
        assert.deepEqual(groups, ['gemm', 'conv', 'norm', 'mlp', 'cnn', 'models', 'eager', 'startup']);
        assert.deepEqual(
            names.filter((name) => groups.includes(name) || !/^[a-z0-9_]+$/.test(name)),
            [],
        );
    });

    it('keep the names that results of other days have', () => {
        const names = namesOf(BENCHMARKS);
        const fixed = [
            ...['gemm_f32_512', 'gemm_f32_1024', 'gemm_f32_2048'],
            ...['gemm_f32_nt_64x256x784', 'gemm_f32_nn_128x256x128', 'gemm_f32_tn_10x128x1024'],
            ...['conv_f32_fwd_32x64_14x14_b128', 'conv_f32_bwd_data_32x64_14x14_b128'],
            ...['conv_f32_bwd_weight_32x64_14x14_b128', 'conv_f32_fwd_1x32_28x28_b128'],
            ...['batch_norm_f32_fwd_bwd_128x32x28x28', 'max_pool_f32_fwd_bwd_128x64x14x14'],
            ...['softmax_f32_fwd_bwd_128x1000', 'layer_norm_f32_fwd_bwd_4096x128'],
            ...['mlp_f32_b64', 'mlp_f32_b64_eager', 'cnn_f32_b128', 'cnn_f32_b128_eager'],
            ...['eager_add_f32_16', 'eager_add_recorded_f32_16', 'eager_add_backward_f32_16_chain10'],
            ...['startup_first_op', 'startup_rss_mlp', 'startup_package'],
        ];
        assert.deepEqual(
            fixed.filter((name) => !names.includes(name)),
            [],
        );
    });

    it('count operations and bytes', () => {
        const row = (name: string): Benchmark => chooseRows(BENCHMARKS, [name])[0];
        assert.equal(row('gemm_f32_512').flops, 2 * 512 ** 3);
        assert.equal(row('gemm_f32_tn_256x784x64').flops, 2 * 256 * 784 * 64);
        assert.equal(row('conv_f32_fwd_32x64_14x14_b128').flops, 2 * 9 * 32 * 64 * 196 * 128);
        assert.equal(row('softmax_f32_fwd_bwd_128x1000').bytes, 5 * 512_000);
    });
});
