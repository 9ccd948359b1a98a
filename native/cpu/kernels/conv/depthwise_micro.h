// Depthwise convolution, a vector of channels at a time. Included inside an instruction-set namespace.

// `pixels` outputs of the channels from c on, the first `lanes` of them; each is one chain over the taps.
template <int pixels, bool whole>
__attribute__((always_inline)) inline void depthwise_block(const DepthwiseRow& row, const float* x, int64_t c,
                                                           int64_t lanes, const float* weights,
                                                           const float* bias, float* out, int64_t out_step) {
    const auto read = [=](const float* from) { return whole ? load(from) : load_part(from, lanes); };
    F32 total[pixels];
    const F32 start = bias != nullptr ? read(bias + c) : F32(0.0);
#pragma GCC unroll 8
    for (int p = 0; p < pixels; ++p) total[p] = start;
    for (int64_t k = 0; k < row.taps; ++k) {
        const F32 weight = read(weights + k * row.channels + c);
        const float* at = x + row.offsets[k] + c;
#pragma GCC unroll 8
        for (int p = 0; p < pixels; ++p) total[p] = fma(read(at + p * row.x_step), weight, total[p]);
    }
#pragma GCC unroll 8
    for (int p = 0; p < pixels; ++p) {
        float* to = out + p * out_step + c;
        whole ? store(to, total[p]) : store_part(to, total[p], lanes);
    }
}

template <bool whole>
void depthwise_columns(const DepthwiseRow& row, int64_t c, int64_t lanes, const float* weights,
                       const float* bias, float* out, int64_t out_step) {
    constexpr int pixels = 8;
    int64_t p = 0;
    for (; p + pixels <= row.pixels; p += pixels)
        depthwise_block<pixels, whole>(row, row.x + p * row.x_step, c, lanes, weights, bias,
                                       out + p * out_step, out_step);
    for (; p < row.pixels; ++p)
        depthwise_block<1, whole>(row, row.x + p * row.x_step, c, lanes, weights, bias, out + p * out_step,
                                  out_step);
}

void depthwise_forward(const DepthwiseRow& row, const float* weights, const float* bias, float* out,
                       int64_t out_step) {
    int64_t c = 0;
    for (; c + F32::width <= row.channels; c += F32::width)
        depthwise_columns<true>(row, c, F32::width, weights, bias, out, out_step);
    if (c < row.channels) depthwise_columns<false>(row, c, row.channels - c, weights, bias, out, out_step);
}

template <bool whole>
F32 depthwise_read(const float* from, int64_t lanes) {
    return whole ? load(from) : load_part(from, lanes);
}

template <bool whole>
void depthwise_add(float* to, F32 sum, int64_t lanes) {
    const F32 result = depthwise_read<whole>(to, lanes) + sum;
    whole ? store(to, result) : store_part(to, result, lanes);
}

// dw of `taps` taps from k on
template <int taps, bool whole>
void depthwise_sums(const DepthwiseRow& row, int64_t k, int64_t c, int64_t lanes, const float* dy,
                    float* dw) {
    F32 total[taps];
#pragma GCC unroll 9
    for (int t = 0; t < taps; ++t) total[t] = F32(0.0);
    for (int64_t p = 0; p < row.pixels; ++p) {
        const F32 gradient = depthwise_read<whole>(dy + p * row.channels + c, lanes);
        const float* x = row.x + p * row.x_step + c;
#pragma GCC unroll 9
        for (int t = 0; t < taps; ++t)
            total[t] = fma(depthwise_read<whole>(x + row.offsets[k + t], lanes), gradient, total[t]);
    }
#pragma GCC unroll 9
    for (int t = 0; t < taps; ++t) depthwise_add<whole>(dw + (k + t) * row.channels + c, total[t], lanes);
}

// True for three rows of three neighbours each, at stride 1: the next pixel reads two of them again.
inline bool slides(const DepthwiseRow& row) {
    bool found = row.taps == 9;
    for (int64_t k = 0; found && k < 9; ++k)
        found = row.offsets[k] == row.offsets[k / 3 * 3] + k % 3 * row.x_step;
    return found;
}

// One row of three neighbouring taps; named one by one, since the compiler keeps arrays of them in memory.
template <bool whole>
struct SlidingTaps {
    const float* x;
    int64_t step, lanes;
    F32 left, middle, sum_left, sum_middle, sum_right;

    SlidingTaps(const DepthwiseRow& row, int64_t first_tap, int64_t c, int64_t count)
        : x(row.x + row.offsets[first_tap] + c), step(row.x_step), lanes(count) {
        left = depthwise_read<whole>(x, lanes);
        middle = depthwise_read<whole>(x + step, lanes);
        x += 2 * step;
        sum_left = sum_middle = sum_right = F32(0.0);
    }
    __attribute__((always_inline)) void take(F32 gradient) {
        const F32 right = depthwise_read<whole>(x, lanes);
        x += step;
        sum_left = fma(left, gradient, sum_left);
        sum_middle = fma(middle, gradient, sum_middle);
        sum_right = fma(right, gradient, sum_right);
        left = middle;
        middle = right;
    }
    void add_to(float* dw, int64_t channels) const {
        depthwise_add<whole>(dw, sum_left, lanes);
        depthwise_add<whole>(dw + channels, sum_middle, lanes);
        depthwise_add<whole>(dw + 2 * channels, sum_right, lanes);
    }
};

// depthwise_sums of nine taps that slide: three loads a pixel in place of nine.
template <bool whole>
void depthwise_sums_sliding(const DepthwiseRow& row, int64_t c, int64_t lanes, const float* dy, float* dw) {
    SlidingTaps<whole> upper(row, 0, c, lanes), centre(row, 3, c, lanes), lower(row, 6, c, lanes);
    for (int64_t p = 0; p < row.pixels; ++p) {
        const float* const at = dy + p * row.channels + c;
        // The next row; behind the last one there is nothing to fetch, and no harm.
        __builtin_prefetch(at + row.pixels * row.channels);
        const F32 gradient = depthwise_read<whole>(at, lanes);
        upper.take(gradient);
        centre.take(gradient);
        lower.take(gradient);
    }
    upper.add_to(dw + c, row.channels);
    centre.add_to(dw + 3 * row.channels + c, row.channels);
    lower.add_to(dw + 6 * row.channels + c, row.channels);
}

template <bool whole>
void depthwise_gradient_block(const DepthwiseRow& row, bool sliding, int64_t c, int64_t lanes,
                              const float* dy, float* dw) {
    if (sliding) return depthwise_sums_sliding<whole>(row, c, lanes, dy, dw);
    int64_t k = 0;
    for (; k + 9 <= row.taps; k += 9) depthwise_sums<9, whole>(row, k, c, lanes, dy, dw);
    for (; k + 3 <= row.taps; k += 3) depthwise_sums<3, whole>(row, k, c, lanes, dy, dw);
    for (; k < row.taps; ++k) depthwise_sums<1, whole>(row, k, c, lanes, dy, dw);
}

void depthwise_gradient(const DepthwiseRow& row, const float* dy, float* dw) {
    const bool sliding = slides(row);
    int64_t c = 0;
    for (; c + F32::width <= row.channels; c += F32::width)
        depthwise_gradient_block<true>(row, sliding, c, F32::width, dy, dw);
    if (c < row.channels) depthwise_gradient_block<false>(row, sliding, c, row.channels - c, dy, dw);
}

void fill_depthwise(DepthwiseKernels& kernels) {
    kernels.forward = &depthwise_forward;
    kernels.gradient = &depthwise_gradient;
}
