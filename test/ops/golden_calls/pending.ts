/** Ops of ops.json that the library does not have yet. The test fails when this list is not exact. */
export const PENDING: readonly string[] = [
    'adaptive_avg_pool2d',
    'all',
    'any',
    'avg_pool2d',
    'cumsum',
    'group_norm',
    'interpolate',
    'layer_norm',
    'log_softmax',
    'logsumexp',
    'norm',
    'softmax',
    'std',
    'var',
];
