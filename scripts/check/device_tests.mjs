// The tests that run on whatever device NATIVEGRAD_DEVICE names.
export const deviceTests = [
    'test/ops/**/*.test.ts',
    'test/autograd/**/*.test.ts',
    'test/nn/**/*.test.ts',
    'test/optim/**/*.test.ts',
    'test/native/amp.test.ts',
    'test/train/mixed_precision.test.ts',
    'test/cuda/device/*.test.ts',
];
