// Included inside an instruction-set namespace.

// Twelve chains hide the latency of the fused multiply-add on both of its ports.
double multiply_add_f32(int64_t rounds, float* sink) {
    constexpr int chains = 12;
    F32 total[chains];
    for (int i = 0; i < chains; ++i) total[i] = F32(0.001 * i);
    const F32 factor(0.999), term(0.001);
    for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
        for (int i = 0; i < chains; ++i) total[i] = fma(total[i], factor, term);
    }
    F32 all = total[0];
    for (int i = 1; i < chains; ++i) all = all + total[i];
    *sink = sum_lanes(all);
    return 2.0 * chains * static_cast<double>(F32::width) * static_cast<double>(rounds);
}
