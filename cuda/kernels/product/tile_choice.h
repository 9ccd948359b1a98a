// Which tiles a product gets, and in how many parts its depth is divided: by its sizes alone, so that the
// bits repeat.
#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// Blocks that fill a large GPU once.
constexpr int64_t blocks_wanted = 128;

inline int64_t tiles_of(int64_t m, int64_t n, int64_t batches, int64_t rows, int64_t columns) {
    return (m + rows - 1) / rows * ((n + columns - 1) / columns) * batches;
}

// The shape with the depth in parts of at least `least`, multiples of `step`.
inline ProductShape divide_depth(ProductShape shape, int64_t tiles, int64_t step, int64_t least) {
    constexpr int64_t most_parts = 64;
    int64_t parts = tiles > 0 && tiles < blocks_wanted ? blocks_wanted / tiles : 1;
    if (parts > shape.k / least) parts = shape.k / least;
    if (parts > most_parts) parts = most_parts;
    if (parts < 1) parts = 1;
    shape.part_depth = ((shape.k + parts - 1) / parts + step - 1) / step * step;
    if (shape.part_depth < step) shape.part_depth = step;
    shape.parts = (shape.k + shape.part_depth - 1) / shape.part_depth;
    if (shape.parts < 1) shape.parts = 1;
    return shape;
}

// body(shape, partials): partials are null where the depth is not divided, and joined afterwards.
template <class T, class Body>
void in_parts(const ProductShape& shape, const StridedAxes<3>& batches, const Finish& finish, Queue& queue,
              const Body& body) {
    if (shape.parts == 1) return body(static_cast<T*>(nullptr));
    const int64_t elements = shape.parts * shape.batches * shape.m * shape.n;
    const Scratch partials(queue, static_cast<size_t>(elements) * sizeof(T));
    body(partials.as<T>());
    join_parts<T>(partials.as<T>(), shape, batches, finish, queue.stream());
}

// Any compute type and factors on the tiles that fit.
template <class T, class Left, class Right>
void multiply_in_tiles(const Left& a, const Right& b, int64_t m, int64_t n, int64_t k,
                       const StridedAxes<3>& batches, const Finish& finish, Queue& queue);

}  // namespace nativegrad::cuda
