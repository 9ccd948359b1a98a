#include "cpu/gemm/gemm.h"

#include <algorithm>

#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

// Tuning numbers: a K block of both panels fits the second-level cache.
constexpr int64_t k_block = 512;
constexpr int64_t m_block = 112;
constexpr int64_t n_block = 256;

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// panel[p * width + i] = x(first + i, p), zeros past count
template <class T>
void pack_panel(const T* x, int64_t lane_stride, int64_t k_stride, int64_t count, int64_t width, int64_t k,
                T* panel) {
    for (int64_t p = 0; p < k; ++p) {
        for (int64_t i = 0; i < count; ++i) panel[p * width + i] = x[i * lane_stride + p * k_stride];
        for (int64_t i = count; i < width; ++i) panel[p * width + i] = T(0);
    }
}

template <class T>
void pack(const T* x, int64_t lane_stride, int64_t k_stride, int64_t lanes, int64_t width, int64_t k,
          T* packed) {
    const int64_t panels = (lanes + width - 1) / width;
    parallel_for(panels, [&](int64_t panel) {
        const int64_t first = panel * width;
        pack_panel(x + first * lane_stride, lane_stride, k_stride, std::min(width, lanes - first), width, k,
                   packed + panel * width * k);
    });
}

template <class T>
void gemm_packed(const GemmMicroKernel<T>& micro, int64_t m, int64_t n, int64_t k, const Matrix<T>& a,
                 const Matrix<T>& b, T* c, int64_t ldc) {
    const int64_t mc = round_up(m_block, micro.mr), nc = round_up(n_block, micro.nr);
    const int64_t row_blocks = (m + mc - 1) / mc, column_blocks = (n + nc - 1) / nc;
    const int64_t deepest = std::min(k, k_block);
    WorkBuffer<T> packed_a(round_up(m, micro.mr) * deepest), packed_b(round_up(n, micro.nr) * deepest);
    for (int64_t start = 0; start < k; start += k_block) {
        const int64_t depth = std::min(k_block, k - start);
        pack(a.data + start * a.column_stride, a.row_stride, a.column_stride, m, micro.mr, depth,
             packed_a.data());
        pack(b.data + start * b.row_stride, b.column_stride, b.row_stride, n, micro.nr, depth,
             packed_b.data());
        parallel_for(row_blocks * column_blocks, [&](int64_t task) {
            const int64_t row_end = std::min(m, (task / column_blocks + 1) * mc);
            const int64_t column_end = std::min(n, (task % column_blocks + 1) * nc);
            for (int64_t j = task % column_blocks * nc; j < column_end; j += micro.nr) {
                for (int64_t i = task / column_blocks * mc; i < row_end; i += micro.mr) {
                    micro.run(depth, packed_a.data() + i * depth, packed_b.data() + j * depth,
                              c + i * ldc + j, ldc, std::min(micro.mr, m - i), std::min(micro.nr, n - j),
                              start > 0);
                }
            }
        });
    }
}

template <class T>
bool wrote_zeros(int64_t m, int64_t n, int64_t k, T* c, int64_t ldc) {
    if (k > 0) return false;
    for (int64_t i = 0; i < m; ++i) std::fill(c + i * ldc, c + i * ldc + n, T(0));
    return true;
}

}  // namespace

void gemm(int64_t m, int64_t n, int64_t k, const Matrix<float>& a, const Matrix<float>& b, float* c,
          int64_t c_row_stride) {
    if (!wrote_zeros(m, n, k, c, c_row_stride))
        gemm_packed(kernels().gemm.f32, m, n, k, a, b, c, c_row_stride);
}

void gemm(int64_t m, int64_t n, int64_t k, const Matrix<double>& a, const Matrix<double>& b, double* c,
          int64_t c_row_stride) {
    if (!wrote_zeros(m, n, k, c, c_row_stride))
        gemm_packed(kernels().gemm.f64, m, n, k, a, b, c, c_row_stride);
}

void gemm(int64_t m, int64_t n, int64_t k, const Matrix<int64_t>& a, const Matrix<int64_t>& b, int64_t* c,
          int64_t c_row_stride) {
    parallel_for(m, [&](int64_t i) {
        for (int64_t j = 0; j < n; ++j) {
            uint64_t sum = 0;
            for (int64_t p = 0; p < k; ++p) {
                sum += static_cast<uint64_t>(a.data[i * a.row_stride + p * a.column_stride]) *
                       static_cast<uint64_t>(b.data[p * b.row_stride + j * b.column_stride]);
            }
            c[i * c_row_stride + j] = static_cast<int64_t>(sum);
        }
    });
}

}  // namespace nativegrad::cpu
