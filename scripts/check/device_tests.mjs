// The tests that run on whatever device NATIVEGRAD_DEVICE names.
export const deviceTests = [
    'test/ops/**/*.test.ts',
    'test/autograd/**/*.test.ts',
    'test/nn/**/*.test.ts',
    'test/optim/**/*.test.ts',
    'test/cuda/device/*.test.ts',
];
