// What each kernel is to consist of on sm_90. Names of instructions are those of nvdisasm, beginning with the given words:
// HMMA multiplies matrices, LDSM loads them from shared memory, LDGSTS copies past the registers (cp.async), LDG and STG.E.128
// move 16 bytes a lane, LDL and STL touch memory of the lane's own, which lies on the device.

/** In every kernel that no exception names: no local memory. */
export const forbidden = ['LDL', 'STL'];

/** Kernels that may have it all the same. */
export const exceptions = [
    {
        kernels: /^(unary|chain)_groups<(float|double)>$/,
        reason: "sine, cosine and tangent of large angles take the compiler's table of 2 / pi by an index",
    },
];

/** { kernels, needs: { instruction: least count } }: each one of the kernels has them. A rule without a kernel fails. */
export const rules = [
    { kernels: /^half_product</, needs: { HMMA: 16, LDSM: 4, 'LDGSTS.E.BYPASS.128': 4 } },
    { kernels: /^tile_product<(float|double), 8/, needs: { LDGSTS: 4 } },
    { kernels: /^tile_product<float/, needs: { FFMA: 48 } },
    { kernels: /^tile_product<double/, needs: { DFMA: 16 } },
    {
        kernels: /^(unary|binary|ternary|compare|chain|drop)_groups</,
        needs: { 'LDG.E.128': 1, 'STG.E.128': 1 },
    },
    { kernels: /^copy_dense</, needs: { 'LDG.E.128': 1, 'STG.E.128': 1 } },
    { kernels: /^(softmax|layer_norm)_rows</, needs: { 'LDG.E.128': 1, 'STG.E.128': 1 } },
    { kernels: /^fold_rows</, needs: { 'LDG.E.128': 1 } },
    { kernels: /^update_tensors</, needs: { 'LDG.E.128': 1, 'STG.E.128': 1 } },
    { kernels: /^normalize_channels/, needs: { 'LDG.E.128': 1, 'STG.E.128': 1 } },
];
