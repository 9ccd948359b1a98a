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

// dw of `taps` taps from k on
template <int taps>
void depthwise_sums(const DepthwiseRow& row, int64_t k, int64_t c, int64_t lanes, const float* dy,
                    float* dw) {
    F32 total[taps];
#pragma GCC unroll 9
    for (int t = 0; t < taps; ++t) total[t] = F32(0.0);
    for (int64_t p = 0; p < row.pixels; ++p) {
        const F32 gradient = load_part(dy + p * row.channels + c, lanes);
        const float* x = row.x + p * row.x_step + c;
#pragma GCC unroll 9
        for (int t = 0; t < taps; ++t)
            total[t] = fma(load_part(x + row.offsets[k + t], lanes), gradient, total[t]);
    }
#pragma GCC unroll 9
    for (int t = 0; t < taps; ++t) {
        float* to = dw + (k + t) * row.channels + c;
        store_part(to, load_part(to, lanes) + total[t], lanes);
    }
}

void depthwise_gradient(const DepthwiseRow& row, const float* dy, float* dw) {
    for (int64_t c = 0; c < row.channels; c += F32::width) {
        const int64_t left = row.channels - c, lanes = left < F32::width ? left : F32::width;
        int64_t k = 0;
        for (; k + 9 <= row.taps; k += 9) depthwise_sums<9>(row, k, c, lanes, dy, dw);
        for (; k + 3 <= row.taps; k += 3) depthwise_sums<3>(row, k, c, lanes, dy, dw);
        for (; k < row.taps; ++k) depthwise_sums<1>(row, k, c, lanes, dy, dw);
    }
}

void fill_depthwise(DepthwiseKernels& kernels) {
    kernels.forward = &depthwise_forward;
    kernels.gradient = &depthwise_gradient;
}
