// What a data loader does to a batch: gather with conversion, and augmentation by an affine map.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_backend.h"
#include "cpu/gemm/gemm_grid.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/index_value.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t elements_per_task = 16384;

// Samples lie anywhere in memory: the next one is asked for while this one is converted.
void fetch(const TensorView& x, int64_t offset, int64_t size) {
    constexpr int64_t line = 64, most = 4096;
    const char* begin = element(x, offset);
    const int64_t bytes = std::min(most, size * static_cast<int64_t>(item_size(x.dtype)));
    for (int64_t at = 0; at < bytes; at += line) __builtin_prefetch(begin + at);
}

// False, and nothing done, where it is not bytes that become float32.
bool gather_bytes(const TensorView& x, int64_t from, const TensorView& out, int64_t to, int64_t size,
                  float scale, float shift) {
    if (x.dtype != DType::uint8 || out.dtype != DType::float32) return false;
    kernels().convert.u8_to_f32(static_cast<const uint8_t*>(x.data) + from,
                                static_cast<float*>(out.data) + to, size, scale, shift);
    return true;
}
template <class T>
bool gather_bytes(const TensorView&, int64_t, const TensorView&, int64_t, int64_t, T, T) {
    return false;
}

template <class T>
void gather(const OpCall& call, const BatchGatherParams& params) {
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    const int64_t batch = index.shape[0], samples = x.shape[0];
    const int64_t size = batch == 0 ? 0 : element_count(out) / batch;
    if (size == 0) return;
    const T scale = static_cast<T>(params.scale), shift = static_cast<T>(params.shift);
    const bool convert_only = params.scale == 1 && params.shift == 0;
    const int64_t per_task = std::max<int64_t>(1, elements_per_task / size);
    const int64_t tasks = divide_up(batch, per_task);
    parallel_for(tasks, [&](int64_t task) {
        const Range part = part_of(batch, tasks, task);
        for (int64_t i = part.begin; i < part.end; ++i) {
            const int64_t from = read_index(index, i, samples) * size;
            if (i + 1 < part.end) fetch(x, read_index(index, i + 1, samples) * size, size);
            if (gather_bytes(x, from, out, i * size, size, scale, shift)) continue;
            for (int64_t start = 0; start < size; start += block_size) {
                T values[block_size];
                const int64_t n = std::min(block_size, size - start);
                load_block(x.dtype, element(x, from + start), 1, n, values);
                if (!convert_only) {
                    for (int64_t k = 0; k < n; ++k) values[k] = values[k] * scale + shift;
                }
                store_block(out.dtype, element(out, i * size + start), 1, n, values);
            }
        }
    });
}

// One channel of one image: out(y, x) = in at the affine image of (y, x), bilinear, zero outside.
template <class T>
void sample_plane(const TensorView& x, int64_t offset, const double (&map)[6], const TensorView& out,
                  int64_t out_offset) {
    const int64_t height = x.shape[2], width = x.shape[3];
    const double middle_x = static_cast<double>(width - 1) / 2,
                 middle_y = static_cast<double>(height - 1) / 2;
    const auto at = [&](int64_t row, int64_t column) {
        T value = 0;
        if (row >= 0 && row < height && column >= 0 && column < width) {
            load_block(x.dtype, element(x, offset + row * x.strides[2] + column * x.strides[3]), 1, 1,
                       &value);
        }
        return static_cast<double>(value);
    };
    for (int64_t row = 0; row < height; ++row) {
        for (int64_t column = 0; column < width; ++column) {
            const double dx = static_cast<double>(column) - middle_x,
                         dy = static_cast<double>(row) - middle_y;
            const double from_x = map[0] * dx + map[1] * dy + map[2] + middle_x;
            const double from_y = map[3] * dx + map[4] * dy + map[5] + middle_y;
            T value = 0;
            // Also refuses NaN and what an integer cannot hold.
            if (from_x > -1 && from_x < static_cast<double>(width) && from_y > -1 &&
                from_y < static_cast<double>(height)) {
                const int64_t left = static_cast<int64_t>(std::floor(from_x)),
                              top = static_cast<int64_t>(std::floor(from_y));
                const double right_share = from_x - static_cast<double>(left),
                             bottom_share = from_y - static_cast<double>(top);
                const double upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share;
                const double lower =
                    at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share;
                value = static_cast<T>(upper * (1 - bottom_share) + lower * bottom_share);
            }
            store_block(out.dtype, element(out, out_offset + row * width + column), 1, 1, &value);
        }
    }
}

}  // namespace

// x [S, ...] row-major, index [n] -> out [n, ...]
void batch_gather(const OpCall& call, const BatchGatherParams& params) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    if (x.rank < 1 || index.rank != 1 || out.rank != x.rank || out.shape[0] != index.shape[0] ||
        !is_row_major(x) || !std::equal(x.shape + 1, x.shape + x.rank, out.shape + 1)) {
        fail("needs row-major samples [S, ...] and an index [n]");
    }
    with_compute_type(out.dtype, [&](auto type) { gather<decltype(type)>(call, params); });
}

// x [N, C, H, W], maps [N, 2, 3] -> out [N, C, H, W]
// A map takes an output position, relative to the image's middle and in pixels, to the input position.
void affine_sample(const OpCall& call, const NoParams&) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &maps = call.inputs[1], &out = call.outputs[0];
    if (x.rank != 4 || maps.rank != 3 || maps.shape[0] != x.shape[0] || maps.shape[1] != 2 ||
        maps.shape[2] != 3) {
        fail("needs images [N, C, H, W] and maps [N, 2, 3]");
    }
    const int64_t planes = x.shape[0] * x.shape[1], size = x.shape[2] * x.shape[3];
    with_compute_type(out.dtype, [&](auto type) {
        parallel_for(planes, [&](int64_t plane) {
            const int64_t image = plane / x.shape[1], channel = plane % x.shape[1];
            double map[6];
            for (int64_t row = 0; row < 2; ++row) {
                load_block(maps.dtype, element(maps, image * maps.strides[0] + row * maps.strides[1]),
                           maps.strides[2], 3, map + 3 * row);
            }
            sample_plane<decltype(type)>(x, image * x.strides[0] + channel * x.strides[1], map, out,
                                         plane * size);
        });
    });
}

}  // namespace nativegrad::cpu
