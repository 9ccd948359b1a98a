// What each kernel is to consist of on sm_90. Names of instructions are those of nvdisasm, beginning with the given words:
// HMMA multiplies matrices, LDSM loads them from shared memory, LDGSTS copies past the registers (cp.async), LDG and STG.E.128
// move 16 bytes a lane, LD and ST do so of any memory, LDL and STL touch memory of the lane's own, which lies on the device.

/** In every kernel that no exception names: no local memory. */
export const forbidden = ['LDL', 'STL'];

/** In no kernel at all: takes one address a warp, so that lanes with addresses of their own become a loop. */
export const forbiddenEverywhere = ['UBLKPF'];

/** Kernels that may have local memory all the same. */
export const exceptions = [
    {
        kernels: /^(unary_groups<(float|double), \d|chain_groups<(float|double|B?Float16))>$/,
        reason: "sine, cosine and tangent of large angles take the compiler's table of 2 / pi by an index",
    },
    {
        kernels: /^split_product<float, 32, false, false>$/,
        reason: 'its form for several models keeps a few of its arguments there, read after the sums',
    },
];

const wide = { 'LDG.E.128': 1, 'STG.E.128': 1 };

/**
 * { kernels, needs: { instruction: least count }, needsOfSeveral: the same of forms for several models where they differ }: each
 * one of the kernels has them. A rule without a kernel fails.
 */
export const rules = [
    { kernels: /^half_product</, needs: { HMMA: 16, LDSM: 4, 'LDGSTS.E.BYPASS.128': 4 } },
    {
        kernels: /^split_product<(Float16|BFloat16)/,
        needs: { HMMA: 8, LDSM: 4, 'LDGSTS.E.BYPASS.128': 2 },
    },
    { kernels: /^split_product<float/, needs: { FFMA: 128, 'LDGSTS.E.BYPASS.128': 2, 'LDS.128': 12 } },
    { kernels: /^tile_product<(float|double), 8/, needs: { LDGSTS: 4 } },
    { kernels: /^tile_product<float/, needs: { FFMA: 48 } },
    { kernels: /^tile_product<double/, needs: { DFMA: 16 } },
    { kernels: /^tile_product<long/, needs: { LDGSTS: 4 } },
    {
        kernels: /^patch_product</,
        needs: { HMMA: 16, LDSM: 8, 'LDGSTS.E.BYPASS.128': 4, 'LDG.E.128': 4, 'STG.E.128': 4 },
    },
    { kernels: /^patch_gradient</, needs: { HMMA: 16, LDSM: 4, 'LDGSTS.E.BYPASS.128': 8 } },
    {
        kernels: /^float_product$/,
        needs: { FFMA: 64, 'LDS.128': 4, 'LDGSTS.E.BYPASS.128': 1, 'STG.E.128': 1 },
    },
    { kernels: /^depthwise_product$/, needs: { FFMA: 8, ...wide } },
    { kernels: /^narrow_conv$/, needs: { FFMA: 96, 'LDS.128': 2, 'STG.E.128': 1 } },
    { kernels: /^narrow_gradient$/, needs: { FFMA: 72, 'LDG.E.128': 1 } },
    { kernels: /^(unary|binary|compare|where|chain|drop)_groups</, needs: wide },
    // Of eight elements, nothing but 16-bit floats has 16 bytes.
    {
        kernels: /^((unary|binary|compare|where|drop)_groups<float, 8|chain_groups<B?Float16)>$/,
        needs: wide,
    },
    { kernels: /^random_values$/, needs: { 'STG.E.128': 1 } },
    { kernels: /^(copy_dense|cast_dense|cast_tensors)</, needs: wide },
    // Their addresses come from memory: the compiler cannot know that they are of the device's.
    { kernels: /^copy_(small|large)$/, needs: { 'LD.E.128': 4, 'ST.E.128': 4 } },
    { kernels: /^select_slices<unsigned int, 4>$/, needs: wide },
    { kernels: /^batch_gather_packs</, needs: wide },
    { kernels: /^(softmax|softmax_backward)_rows</, needs: wide },
    // For several models the compiler joins the stores of packs with those of single elements, which are narrower.
    {
        kernels: /^(layer_norm|layer_norm_backward)_rows</,
        needs: wide,
        needsOfSeveral: { 'LDG.E.128': 1 },
    },
    { kernels: /^fold_rows</, needs: { 'LDG.E.128': 1 } },
    { kernels: /^update_tensors</, needs: wide },
    { kernels: /^check_gradients</, needs: { 'LDG.E.128': 4 } },
    { kernels: /^unscale_gradients</, needs: { 'LDG.E.128': 4, 'STG.E.128': 4 } },
    { kernels: /^normalize_channels(_backward)?<|^normalize_window_packs</, needs: wide },
    {
        kernels: /^(largest_of_windows|gradients_of_pixels|add_taps)<PackedElements</,
        needs: { 'LDG.E.128': 1 },
    },
];

/** Kernels without a rule. What neither a rule nor one of these names fails. */
export const unruled = [
    {
        kernels:
            /^(gather_elements|select_slices|add_along_rows|add_equal_keys|add_runs|affine_sample_pixels)</,
        reason: 'an index or a map says for each element where it lies',
    },
    {
        kernels: /^(element_keys|place_keys|count_digits|place_digits|move_digits)$/,
        reason: 'keys in their order, one by one',
    },
    {
        kernels: /^(sort_(short_rows|tiles)<|sort_(step|merge_tiles)$|write_sorted<)/,
        reason: 'exchanges of single keys',
    },
    {
        kernels: /^(scan_(lanes|tiles)<|count_nonzero_tiles$|write_nonzero_places$)/,
        reason: 'what an element becomes depends on those before it; a lane takes one',
    },
    {
        kernels:
            /^((fold|softmax|softmax_backward)_columns|layer_norm_products|norm_products|sum_rows|part_moments|normalize_windows)</,
        reason: 'a lane for each column: a warp reads 32 neighbours',
    },
    {
        kernels:
            /^(join_pieces|join_parts_of_channel|join_partials)<|^(join_splits|layer_norm_join|sum_parts)$/,
        reason: 'joins the sums of blocks, a lane for each result; a warp reads 32 neighbours',
    },
    {
        kernels:
            /^(norm_factors|norm_backward_factors)<|^(factor_of_norm|update_scale|move_fault|prepare_taps|range_elements)$/,
        reason: 'few numbers',
    },
    { kernels: /^wait_for_host$/, reason: 'one lane, which looks at one number of the host' },
    {
        kernels: /^copy_strided<|<AnyElements</,
        reason: 'operands that lie in any way; those that lie side by side have kernels of their own',
    },
    { kernels: /^cross_entropy(_backward)?_rows</, reason: 'rows of as many elements as there are classes' },
    { kernels: /^clear_words$/, reason: 'zeros, a word for each lane' },
    {
        kernels: /^label_mean_terms$/,
        reason: 'losses and labels of any dtype and strides, a few for each lane',
    },
];
