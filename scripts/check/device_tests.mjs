// The tests that run on whatever device NATIVEGRAD_DEVICE names: all that compute with tensors and know no processor.
export const deviceTests = [
    'test/ops/op_samples.test.ts',
    'test/ops/golden_ops.test.ts',
    'test/ops/golden_dtypes.test.ts',
    'test/ops/cast.test.ts',
    'test/ops/create.test.ts',
    'test/ops/in_place.test.ts',
    'test/ops/random.test.ts',
    'test/ops/resample.test.ts',
    'test/autograd/**/*.test.ts',
    'test/nn/**/*.test.ts',
    'test/optim/**/*.test.ts',
    'test/golden/**/*.test.ts',
    'test/cuda/*.test.ts',
];
