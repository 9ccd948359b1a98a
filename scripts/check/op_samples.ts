// Fails for an op without a row in test/ops/op_samples.ts: what has no row is neither compared with a reference nor
// gradient-checked.
import { readdirSync } from 'node:fs';
import { differentiableOps } from '../../lib/autograd/define_op.js';
import { contract } from '../../lib/native/addon.js';
import * as publicOps from '../../lib/ops/index.js';
import { opSamples } from '../../test/ops/op_samples.js';
import { missingSamples, stemOf } from './missing_samples.js';

// Names that are no op of their own, with what stands for them.
const notSampled = new Map([
    ['unary', 'each function has its own name'],
    ['binary', 'each function has its own name'],
    ['compare', 'each function has its own name'],
    ['reduce', 'each function has its own name'],
    ['arg_reduce', 'each function has its own name'],
    ['copy', 'cast and clone'],
    ['fill', 'the tests of creation'],
    ['range', 'the tests of creation'],
    ['random', 'the tests of the generators'],
    ['batch_gather', 'the tests of the data loader'],
    ['affine_sample', 'the tests of the augmentation'],
    ['to', 'test/cuda/devices.test.ts, between devices'],
    ['adam_step', 'the tests of the optimizers'],
    ['sgd_step', 'the tests of the optimizers'],
    ['rmsprop_step', 'the tests of the optimizers'],
    ['amp_check', 'test/native/amp.test.ts'],
    ['amp_factor', 'test/native/amp.test.ts'],
    ['amp_unscale', 'test/native/amp.test.ts'],
    ['amp_update', 'test/native/amp.test.ts'],
    // Fused calls of captured programs, held against the single ones.
    ['batch_norm_relu', 'test/native/batch_norm_fused.test.ts'],
    ['batch_norm_relu_backward', 'test/native/batch_norm_fused.test.ts'],
    ['batch_norm_relu_pool', 'test/native/batch_norm_fused.test.ts'],
    ['batch_norm_relu_pool_backward', 'test/native/batch_norm_fused.test.ts'],
    ['cast_all', 'test/program/fuse_casts.test.ts'],
    ['chain', 'test/native/chain.test.ts'],
    ['linear_activation', 'test/native/linear_fused.test.ts'],
    ['linear_residual', 'test/native/linear_fused.test.ts'],
    ['linear_backward_input', 'test/native/linear_fused.test.ts'],
    ['linear_backward_weight', 'test/native/linear_fused.test.ts'],
    ['linear_backward_weight_adam', 'test/native/linear_fused.test.ts'],
    ['linear_backward_weight_sgd', 'test/native/linear_fused.test.ts'],
    ['conv2d_statistics', 'test/native/conv_statistics.test.ts'],
    ['conv2d_relu', 'test/native/conv_relu.test.ts'],
    ['conv2d_backward_input_relu', 'test/native/conv_relu.test.ts'],
    ['checkpoint', 'test/autograd/checkpoint.test.ts'],
    ['module_inputs', 'the tests of module hooks'],
    ['module_outputs', 'the tests of module hooks'],
]);

// Files of lib/ops whose functions make tensors, change them in place or only handle them.
const otherFiles = new Set(['batch', 'create', 'in_place', 'methods', 'generator', 'random', 'tape']);

async function publicOpNames(): Promise<string[]> {
    const others = new Set<string>();
    for (const file of readdirSync('lib/ops')) {
        const stem = file.replace(/\.ts$/, '');
        if (!otherFiles.has(stem)) continue;
        const exports = (await import(`../../lib/ops/${stem}.js`)) as object;
        for (const name of Object.keys(exports)) others.add(name);
    }
    return Object.entries(publicOps as Record<string, unknown>)
        .filter(([name, value]) => typeof value === 'function' && !others.has(name))
        .map(([name]) => stemOf(name));
}

const { ops, unary, binary, compare } = contract;
const nativeOps = [...ops, ...unary, ...binary, ...compare];
const named = [...nativeOps, ...differentiableOps, ...(await publicOpNames())];
const required = named.filter((name) => !notSampled.has(name));
const missing = missingSamples(required, opSamples);
if (missing.length > 0) {
    console.error(`ops without a row in test/ops/op_samples.ts: ${missing.join(', ')}`);
    process.exitCode = 1;
} else {
    console.log(`op samples: ${opSamples.length} rows for ${new Set(required).size} ops`);
}
