// Plain loops: float64 serves checks and small problems; the compiler vectorises it. Included inside a
// namespace.

constexpr int64_t f64_mr = 4, f64_nr = 8;

void gemm_f64_micro(int64_t k, const double* a, const double* b, double* c, int64_t c_row_stride,
                    int64_t rows, int64_t cols, bool accumulate) {
    double total[f64_mr][f64_nr] = {};
    for (int64_t p = 0; p < k; ++p, a += f64_mr, b += f64_nr) {
        for (int64_t i = 0; i < f64_mr; ++i) {
            for (int64_t j = 0; j < f64_nr; ++j) total[i][j] += a[i] * b[j];
        }
    }
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j) {
            double& to = c[i * c_row_stride + j];
            to = accumulate ? to + total[i][j] : total[i][j];
        }
    }
}
