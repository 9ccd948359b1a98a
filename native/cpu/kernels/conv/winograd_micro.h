// Transforms of F(2x2, 3x3), a vector of channels at a time. Included inside an instruction-set namespace.

// One column of four: B^T d
struct WinogradColumn {
    F32 v[4];
};

inline F32 load_or_zero(const float* row, int64_t offset) {
    return row != nullptr ? load(row + offset) : F32(0.0);
}

inline WinogradColumn winograd_column(const float* const* rows, int64_t column, int64_t columns,
                                      int64_t offset) {
    WinogradColumn out;
    if (column < 0 || column >= columns) {
        for (int i = 0; i < 4; ++i) out.v[i] = F32(0.0);
        return out;
    }
    F32 d[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) d[i] = load_or_zero(rows[i], offset);
    out.v[0] = d[0] - d[2];
    out.v[1] = d[1] + d[2];
    out.v[2] = d[2] - d[1];
    out.v[3] = d[1] - d[3];
    return out;
}

// B^T d B of `tiles` pieces that follow each other two columns apart
void winograd_image(const float* const* rows, int64_t first, int64_t columns, int64_t channels, int64_t tiles,
                    float* to, int64_t plane) {
    for (int64_t c = 0; c < channels; c += F32::width) {
        const auto column = [&](int64_t j) { return winograd_column(rows, j, columns, j * channels + c); };
        WinogradColumn a = column(first), b = column(first + 1);
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const int64_t at = first + 2 * tile;
            const WinogradColumn p = column(at + 2), q = column(at + 3);
            float* out = to + tile * channels + c;
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i, out += 4 * plane) {
                store(out, a.v[i] - p.v[i]);
                store(out + plane, b.v[i] + p.v[i]);
                store(out + 2 * plane, p.v[i] - b.v[i]);
                store(out + 3 * plane, b.v[i] - q.v[i]);
            }
            a = p;
            b = q;
        }
    }
}

// A^T m A of each tile, plus bias
void winograd_output(const float* from, int64_t plane, int64_t channels, int64_t tiles, const float* bias,
                     float* const* rows, int64_t columns) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const bool wide = 2 * tile + 1 < columns;
        for (int64_t c = 0; c < channels; c += F32::width) {
            const float* m = from + tile * channels + c;
            F32 left[2], right[2];
            const F32 start = bias != nullptr ? load(bias + c) : F32(0.0);
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j, m += plane) {
                const F32 m0 = load(m), m1 = load(m + 4 * plane), m2 = load(m + 8 * plane),
                          m3 = load(m + 12 * plane);
                const F32 y[2] = {m0 + m1 + m2, m1 - m2 - m3};
                for (int i = 0; i < 2; ++i) {
                    if (j == 0) {
                        left[i] = y[i];
                    } else if (j == 1) {
                        left[i] = left[i] + y[i];
                        right[i] = y[i];
                    } else if (j == 2) {
                        left[i] = left[i] + y[i];
                        right[i] = right[i] - y[i];
                    } else {
                        right[i] = right[i] - y[i];
                    }
                }
            }
            for (int i = 0; i < 2; ++i) {
                if (rows[i] == nullptr) continue;
                float* out = rows[i] + 2 * tile * channels + c;
                store(out, left[i] + start);
                if (wide) store(out + channels, right[i] + start);
            }
        }
    }
}

// A y A^T of each tile
void winograd_gradient(const float* const* rows, int64_t columns, int64_t channels, int64_t tiles, float* to,
                       int64_t plane) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const bool wide = 2 * tile + 1 < columns;
        for (int64_t c = 0; c < channels; c += F32::width) {
            const int64_t at = 2 * tile * channels + c;
            const F32 none(0.0);
            const F32 a = load(rows[0] + at), b = wide ? load(rows[0] + at + channels) : none;
            const F32 p = load_or_zero(rows[1], at), q = wide ? load_or_zero(rows[1], at + channels) : none;
            const F32 left[4] = {a, a + p, a - p, -p}, right[4] = {b, b + q, b - q, -q};
            float* out = to + tile * channels + c;
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i, out += 4 * plane) {
                store(out, left[i]);
                store(out + plane, left[i] + right[i]);
                store(out + 2 * plane, left[i] - right[i]);
                store(out + 3 * plane, -right[i]);
            }
        }
    }
}

void fill_winograd(WinogradKernels& kernels) {
    kernels.image = &winograd_image;
    kernels.output = &winograd_output;
    kernels.gradient = &winograd_gradient;
}
