// Micro-kernel template: mr rows by `vectors` vectors of columns, accumulators in registers. Included inside
// an instruction-set namespace.

template <int mr, int vectors>
void gemm_f32_micro(int64_t k, const float* a, const float* b, float* c, int64_t c_row_stride, int64_t rows,
                    int64_t cols, bool accumulate) {
    constexpr int64_t width = F32::width, nr = width * vectors;
    F32 total[mr][vectors];
    for (int i = 0; i < mr; ++i) {
        for (int j = 0; j < vectors; ++j) total[i][j] = F32(0.0);
    }
    for (int64_t p = 0; p < k; ++p, a += mr, b += nr) {
        F32 row[vectors];
        for (int j = 0; j < vectors; ++j) row[j] = load(b + j * width);
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i) {
            const F32 x = broadcast(a + i);
            for (int j = 0; j < vectors; ++j) total[i][j] = fma(x, row[j], total[i][j]);
        }
    }
    if (rows == mr && cols == nr) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i) {
            for (int j = 0; j < vectors; ++j) {
                float* to = c + i * c_row_stride + j * width;
                store(to, accumulate ? load(to) + total[i][j] : total[i][j]);
            }
        }
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i) {
        if (i >= rows) break;
        for (int j = 0; j < vectors; ++j) {
            const int64_t count = cols - j * width < width ? cols - j * width : width;
            if (count <= 0) break;
            float* to = c + i * c_row_stride + j * width;
            store_part(to, accumulate ? load_part(to, count) + total[i][j] : total[i][j], count);
        }
    }
}
