// Where a product's factors lie, and how tiles of them come to shared memory. A factor has rows (those of A,
// the columns of B) and a depth (the axis that is summed over).
#pragma once

#include "device/async_copy.h"
#include "device/index.h"
#include "kernels/values.h"

namespace nativegrad::cuda {

// How elements are read: 16 bytes along the depth, 16 bytes along the rows, one by one, or one by one and
// converted to the compute type.
enum class Access : int32_t { depth_chunks, row_chunks, elements, converted };

// An element's offset; `valid` is false outside of the factor, where it counts as zero.
struct Place {
    int64_t offset;
    bool valid;
};

// A matrix of any strides.
struct StridedOperand {
    const void* data;
    DType dtype;
    Access access;
    int64_t rows, depth, row_stride, depth_stride;

    __device__ __forceinline__ Place at(int64_t row, int64_t k) const {
        return {row * row_stride + k * depth_stride, row < rows && k < depth};
    }
    // Neighbours in memory lie along the depth.
    __device__ __forceinline__ bool runs_along_depth() const { return depth_stride == 1; }
};

// Tiles for multiplying without tensor cores: [rows][tile_depth], a multiple of 16 bytes apart by an odd
// number, so that lanes read 16 bytes of eight rows without bank conflicts.
template <class T>
constexpr int tile_depth = static_cast<int>(64 / sizeof(T));
template <class T>
constexpr int tile_pitch = tile_depth<T> + static_cast<int>(16 / sizeof(T));

constexpr int tile_threads = 256;

// x from (first_row, first_depth) -> tile [rows, tile_pitch]; zeros outside of x
template <class T, int rows, class Operand>
__device__ __forceinline__ void load_tile(T* tile, const Operand& x, int64_t offset, int64_t first_row,
                                          int64_t first_depth) {
    constexpr int depth = tile_depth<T>, pitch = tile_pitch<T>, width = static_cast<int>(16 / sizeof(T));
    const T* data = static_cast<const T*>(x.data) + offset;
    if (x.access == Access::depth_chunks) {
        constexpr int chunks = depth / width;
        for (int i = thread_index(); i < rows * chunks; i += tile_threads) {
            const int row = i / chunks, k = i % chunks * width;
            const Place place = x.at(first_row + row, first_depth + k);
            async_copy_or_zero<16>(tile + row * pitch + k, place.valid ? data + place.offset : data,
                                   place.valid);
        }
        return;
    }
    const bool along = x.runs_along_depth();
#pragma unroll 1
    for (int i = thread_index(); i < rows * depth; i += tile_threads) {
        // A warp takes one or two rows, or pieces of 8 rows, whose 4 columns fall into other banks.
        const int piece = i / 32, lane = i % 32;
        const int row = along ? i / depth : piece % (rows / 8) * 8 + lane % 8;
        const int k = along ? i % depth : piece / (rows / 8) * 4 + lane / 8;
        const Place place = x.at(first_row + row, first_depth + k);
        T* to = tile + row * pitch + k;
        if (x.access == Access::elements) {
            async_copy_or_zero<static_cast<int>(sizeof(T))>(to, place.valid ? data + place.offset : data,
                                                            place.valid);
        } else {
            *to = place.valid ? load_as<T>(Source{x.data, x.dtype, 0}, offset + place.offset) : T(0);
        }
    }
}

}  // namespace nativegrad::cuda
