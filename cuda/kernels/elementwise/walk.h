// How an elementwise kernel walks its operands: in groups that lie side by side where all of them are dense,
// one number, or a row or column that repeats; else element by element, by strides.
#pragma once

#include "device/memory.h"
#include "kernels/elementwise/formulas.h"
#include "kernels/strided.h"
#include "kernels/values.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

// packed: element i at i; row: at i % period; column: at i / period; strided: by the axes.
enum class OperandKind : int32_t { one, packed, row, column, strided };

struct Operand {
    Source source;
    OperandKind kind;
};

// Whether a group of this width may be of the type: groups of eight are of those of one and two bytes, whose
// 16 bytes they are.
template <class Stored, int width>
constexpr bool is_grouped = width == group || sizeof(Stored) <= 2;

template <class Stored, int width>
constexpr int step_of_group = pack_width<Stored> < width ? pack_width<Stored> : width;

// Elements of an aligned place.
template <class T, class Stored, int width>
__device__ __forceinline__ void load_stored(const Stored* from, Group<T, width>& values) {
    constexpr int step = step_of_group<Stored, width>;
#pragma unroll
    for (int i = 0; i < width; i += step) {
        const auto pack = load_pack<step>(from + i);
#pragma unroll
        for (int k = 0; k < step; ++k) values[i + k] = load_value<T>(pack[k]);
    }
}

template <class T, class Stored, int width>
__device__ __forceinline__ void store_stored(Stored* to, const Group<T, width>& values) {
    constexpr int step = step_of_group<Stored, width>;
#pragma unroll
    for (int i = 0; i < width; i += step) {
        Pack<Stored, step> pack;
#pragma unroll
        for (int k = 0; k < step; ++k) pack[k] = store_value<Stored>(values[i + k]);
        store_pack(to + i, pack);
    }
}

// Elements at, ... at + width - 1 of an aligned source.
template <class T, int width>
__device__ __forceinline__ void load_group(const Source& source, int64_t at, Group<T, width>& values) {
    switch (source.dtype) {
#define X(name, Stored, compute)                                                  \
    case DType::name:                                                             \
        if constexpr (is_grouped<Stored, width>)                                  \
            load_stored<T>(static_cast<const Stored*>(source.data) + at, values); \
        return;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

template <class T, int width>
__device__ __forceinline__ void store_group(void* data, DType dtype, int64_t at,
                                            const Group<T, width>& values) {
    switch (dtype) {
#define X(name, Stored, compute)                                                                        \
    case DType::name:                                                                                   \
        if constexpr (is_grouped<Stored, width>) store_stored(static_cast<Stored*>(data) + at, values); \
        return;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

// load_group() and store_group() may be used on it, `width` elements at a time.
inline bool is_group_aligned(const void* data, DType dtype, int width = group) {
    const size_t bytes = static_cast<size_t>(width) * item_size(dtype);
    return is_aligned(data, bytes < 16 ? bytes : 16);
}

// a / b without the GPU's slow division by 64 bits where it can be.
__device__ __forceinline__ int64_t quotient_of(int64_t a, int64_t b) {
    if (a <= UINT32_MAX && b <= UINT32_MAX) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
    return a / b;
}

// Where the elements of a lane's group are: first, first + step, ...; the first `valid` of them exist.
struct GroupPlace {
    int64_t first, step;
    int valid;
};

template <int inputs>
struct Walk {
    Operand in[inputs];
    void* out;
    DType out_dtype;
    bool is_packed;
    int width;  // elements of a group
    int64_t count, period;
    StridedAxes<inputs + 1> axes;

    // views: the output, then inputs of its shape (broadcast_to)
    explicit Walk(const TensorView* const (&views)[inputs + 1])
        : out(views[0]->data), out_dtype(views[0]->dtype), width(group), period(1), axes(views) {
        count = axes.count();
        const bool has_rows =
            axes.rank == 2 && axes.strides[0][1] == 1 && axes.strides[0][0] == axes.shape[1];
        if (has_rows) period = axes.shape[1];
        const bool is_dense = (axes.rank == 1 && axes.strides[0][0] == 1) || has_rows;
        if (is_dense && take_groups(views, wide_group) && may_be_wide()) return;
        is_packed = take_groups(views, group) && is_dense;
    }

    Grid grid() const { return elementwise_grid(count, width); }

  private:
    // Whether all operands can be read in groups of that width.
    bool take_groups(const TensorView* const (&views)[inputs + 1], int elements) {
        width = elements;
        is_packed = is_group_aligned(out, out_dtype, width);
        for (int i = 0; i < inputs; ++i) {
            in[i] = {source_of(*views[i + 1]), kind_of(*views[i + 1], axes.strides[i + 1])};
            is_packed = is_packed && in[i].kind != OperandKind::strided;
        }
        return is_packed;
    }

    // Tensors of 16-bit floats, perhaps beside others of one byte.
    bool may_be_wide() const {
        bool has_halves = false;
        const auto fits = [&](DType dtype) {
            has_halves = has_halves || (item_size(dtype) == 2 && is_float(dtype));
            return item_size(dtype) <= 2;
        };
        bool all = fits(out_dtype);
        for (const Operand& x : in) all = all && (x.kind == OperandKind::one || fits(x.source.dtype));
        return all && has_halves;
    }

    OperandKind kind_of(const TensorView& view, const int64_t* strides) const {
        bool is_one = true;
        for (int32_t axis = 0; axis < axes.rank; ++axis) is_one = is_one && strides[axis] == 0;
        if (is_one || view.is_host_scalar) return OperandKind::one;
        const bool aligned = is_group_aligned(view.data, view.dtype, width);
        if (axes.rank == 1) return aligned && strides[0] == 1 ? OperandKind::packed : OperandKind::strided;
        if (axes.rank != 2) return OperandKind::strided;
        if (aligned && strides[0] == axes.shape[1] && strides[1] == 1) return OperandKind::packed;
        if (axes.shape[1] % width != 0) return OperandKind::strided;
        if (aligned && strides[0] == 0 && strides[1] == 1) return OperandKind::row;
        return strides[0] == 1 && strides[1] == 0 ? OperandKind::column : OperandKind::strided;
    }
};

// Calls body(Width<...>()) with the width of the walk's groups; those of eight are computed in float.
template <int elements>
using Width = std::integral_constant<int, elements>;

template <class T, int inputs, class Body>
void with_width(const Walk<inputs>& walk, const Body& body) {
    if constexpr (std::is_same_v<T, float>) {
        if (walk.width == wide_group) return body(Width<wide_group>());
    }
    body(Width<group>());
}

// Group number g of `count` elements. Where they are not packed, the lanes of a block take elements side by
// side.
template <int width>
__device__ __forceinline__ GroupPlace place_of(bool is_packed, int64_t count, int64_t g) {
    if (is_packed) {
        const int64_t first = g * width, rest = count - first;
        return {first, 1, rest < width ? static_cast<int>(rest) : width};
    }
    const int64_t lane = thread_index(), lanes = thread_count(), first = (g - lane) * width + lane;
    int valid = 0;
    while (valid < width && first + valid * lanes < count) ++valid;
    return {first, lanes, valid};
}

// What stays the same for all elements; read once, before the loop.
template <class T, int inputs>
__device__ __forceinline__ void load_ones(const Walk<inputs>& walk, T (&ones)[inputs]) {
    for (int k = 0; k < inputs; ++k)
        ones[k] = walk.in[k].kind == OperandKind::one ? load_as<T>(walk.in[k].source, 0) : T(1);
}

// values [inputs][width]; places that do not exist get a value that does no harm
template <class T, int width, int inputs>
__device__ __forceinline__ void load_operands(const Walk<inputs>& walk, const GroupPlace& place,
                                              const T (&ones)[inputs], Group<T, width> (&values)[inputs]) {
#pragma unroll
    for (int k = 0; k < inputs; ++k) {
#pragma unroll
        for (int i = 0; i < width; ++i) values[k][i] = ones[k];
    }
    if (!walk.is_packed) {
#pragma unroll
        for (int i = 0; i < width; ++i) {
            if (i >= place.valid) continue;
            const Offsets<inputs + 1> at = locate(walk.axes, place.first + i * place.step);
#pragma unroll
            for (int k = 0; k < inputs; ++k) {
                if (walk.in[k].kind != OperandKind::one)
                    values[k][i] = load_as<T>(walk.in[k].source, at.of[k + 1]);
            }
        }
        return;
    }
#pragma unroll
    for (int k = 0; k < inputs; ++k) {
        const Operand& x = walk.in[k];
        if (x.kind == OperandKind::one) continue;
        if (x.kind == OperandKind::column) {
            const T value = load_as<T>(x.source, quotient_of(place.first, walk.period));
#pragma unroll
            for (int i = 0; i < width; ++i) values[k][i] = value;
            continue;
        }
        int64_t at = place.first;
        if (x.kind == OperandKind::row) at -= quotient_of(at, walk.period) * walk.period;
        if (place.valid == width) {
            load_group<T>(x.source, at, values[k]);
        } else {
#pragma unroll
            for (int i = 0; i < width; ++i) {
                if (i < place.valid) values[k][i] = load_as<T>(x.source, at + i);
            }
        }
    }
}

template <class T, int width, int inputs>
__device__ __forceinline__ void store_result(const Walk<inputs>& walk, const GroupPlace& place,
                                             const Group<T, width>& values) {
    if (walk.is_packed && place.valid == width)
        return store_group<T>(walk.out, walk.out_dtype, place.first, values);
#pragma unroll
    for (int i = 0; i < width; ++i) {
        if (i >= place.valid) continue;
        int64_t at = place.first + i * place.step;
        if (!walk.is_packed) at = locate(walk.axes, at).of[0];
        store_as(walk.out, walk.out_dtype, at, values[i]);
    }
}

// body(values [inputs][width], place, out) for each group of the walk that falls to this lane
template <class T, int width, int inputs, class Body>
__device__ __forceinline__ void each_group(const Walk<inputs>& walk, const Body& body) {
    T ones[inputs];
    load_ones(walk, ones);
    for (int64_t g = grid_thread_index();; g += grid_thread_count()) {
        const GroupPlace place = place_of<width>(walk.is_packed, walk.count, g);
        if (place.valid <= 0) return;
        Group<T, width> values[inputs], out;
        load_operands<T, width>(walk, place, ones, values);
        body(values, place, out);
        store_result<T, width>(walk, place, out);
    }
}

template <class Function>
void expect_function(int32_t function, Function count) {
    if (function < 0 || function >= static_cast<int32_t>(count)) fail("no function %d", function);
}

}  // namespace nativegrad::cuda
