// What the gradient of the weights does with its slices once they are summed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/conv/conv_plan.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

// total[j] += sum over rows of x[r * stride + j], in float for short stretches, then in double
inline void add_rows(const float* x, int64_t stride, int64_t rows, int64_t n, double* total) {
    constexpr int64_t stretch = 64, width = 64;
    for (int64_t j = 0; j < n; j += width) {
        const int64_t count = std::min(width, n - j);
        for (int64_t r = 0; r < rows; r += stretch) {
            float partial[width] = {};
            kernels().reduce.add_rows(x + r * stride + j, stride, std::min(stretch, rows - r), partial,
                                      count);
            for (int64_t i = 0; i < count; ++i) total[j + i] += static_cast<double>(partial[i]);
        }
    }
}
inline void add_rows(const double* x, int64_t stride, int64_t rows, int64_t n, double* total) {
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t j = 0; j < n; ++j) total[j] += x[r * stride + j];
    }
}

// biases [slices, n] -> to [n], their sums
template <class T>
void join_biases(const std::vector<double>& biases, int64_t slices, int64_t n, T* to) {
    for (int64_t j = 0; j < n; ++j) {
        double total = 0;
        for (int64_t slice = 0; slice < slices; ++slice) total += biases[static_cast<size_t>(slice * n + j)];
        to[j] = static_cast<T>(total);
    }
}

// partials[0] = sum of all, pairs first, then pairs of pairs
template <class T>
void join_slices(T* partials, int64_t slices, int64_t size) {
    constexpr int64_t piece = 4096;
    parallel_for((size + piece - 1) / piece, [&](int64_t task) {
        const int64_t first = task * piece, end = std::min(size, first + piece);
        for (int64_t step = 1; step < slices; step *= 2) {
            for (int64_t slice = 0; slice + step < slices; slice += 2 * step) {
                T* to = partials + slice * size;
                const T* from = to + step * size;
                for (int64_t i = first; i < end; ++i) to[i] += from[i];
            }
        }
    });
}

// [group][kernel row, kernel column, channel in][channel out] -> [O, C / groups, kH, kW]
template <class T>
void write_row_major(const ConvPlan& plan, const T* from, T* to) {
    const int64_t taps = plan.kernel_rows * plan.kernel_columns, ins = plan.group_channels();
    const int64_t outs = plan.group_out_channels();
    parallel_for(plan.out_channels, [&](int64_t o) {
        const T* source = from + o / outs * taps * ins * outs + o % outs;
        T* row = to + o * ins * taps;
        for (int64_t c = 0; c < ins; ++c) {
            for (int64_t tap = 0; tap < taps; ++tap) row[c * taps + tap] = source[(tap * ins + c) * outs];
        }
    });
}

// All slices of a gradient, summed: finish(their sums [gradient.size]), and dbias [O] where it is not null.
template <class T, class Gradient, class Finish>
void sum_slices(const Gradient& gradient, int64_t out_channels, T* dbias, const Finish& finish) {
    WorkBuffer<T> partials(gradient.slices * gradient.size);
    std::vector<double> biases(static_cast<size_t>(dbias != nullptr ? gradient.slices * out_channels : 0));
    parallel_for(gradient.slices, [&](int64_t slice) {
        gradient.run(slice, partials.data() + slice * gradient.size,
                     dbias != nullptr ? biases.data() + slice * out_channels : nullptr);
    });
    join_slices(partials.data(), gradient.slices, gradient.size);
    finish(partials.data());
    if (dbias != nullptr) join_biases(biases, gradient.slices, out_channels, dbias);
}

}  // namespace nativegrad::cpu
