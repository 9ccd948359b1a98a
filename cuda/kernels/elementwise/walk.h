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

// Elements at, ... at + group - 1 of an aligned source.
template <class T>
__device__ __forceinline__ void load_group(const Source& source, int64_t at, Group<T>& values) {
    switch (source.dtype) {
#define X(name, Stored, compute)                                                                      \
    case DType::name: {                                                                               \
        constexpr int width = pack_width<Stored> < group ? pack_width<Stored> : group;                \
        _Pragma("unroll") for (int i = 0; i < group; i += width) {                                    \
            const auto pack = load_pack<width>(static_cast<const Stored*>(source.data) + at + i);     \
            _Pragma("unroll") for (int k = 0; k < width; ++k) values[i + k] = load_value<T>(pack[k]); \
        }                                                                                             \
        return;                                                                                       \
    }
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

template <class T>
__device__ __forceinline__ void store_group(void* data, DType dtype, int64_t at, const Group<T>& values) {
    switch (dtype) {
#define X(name, Stored, compute)                                                                            \
    case DType::name: {                                                                                     \
        constexpr int width = pack_width<Stored> < group ? pack_width<Stored> : group;                      \
        _Pragma("unroll") for (int i = 0; i < group; i += width) {                                          \
            Pack<Stored, width> pack;                                                                       \
            _Pragma("unroll") for (int k = 0; k < width; ++k) pack[k] = store_value<Stored>(values[i + k]); \
            store_pack(static_cast<Stored*>(data) + at + i, pack);                                          \
        }                                                                                                   \
        return;                                                                                             \
    }
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

// load_group() and store_group() may be used on it.
inline bool is_group_aligned(const void* data, DType dtype) {
    const size_t bytes = group * item_size(dtype);
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
    int64_t count, period;
    StridedAxes<inputs + 1> axes;

    // views: the output, then inputs of its shape (broadcast_to)
    explicit Walk(const TensorView* const (&views)[inputs + 1])
        : out(views[0]->data), out_dtype(views[0]->dtype), period(1), axes(views) {
        count = axes.count();
        const bool has_rows =
            axes.rank == 2 && axes.strides[0][1] == 1 && axes.strides[0][0] == axes.shape[1];
        if (has_rows) period = axes.shape[1];
        const bool is_dense = (axes.rank == 1 && axes.strides[0][0] == 1) || has_rows;
        is_packed = is_dense && is_group_aligned(out, out_dtype);
        for (int i = 0; i < inputs; ++i) {
            in[i] = {source_of(*views[i + 1]), kind_of(*views[i + 1], axes.strides[i + 1])};
            is_packed = is_packed && in[i].kind != OperandKind::strided;
        }
    }

    Grid grid() const { return elementwise_grid(count, group); }

  private:
    OperandKind kind_of(const TensorView& view, const int64_t* strides) const {
        bool is_one = true;
        for (int32_t axis = 0; axis < axes.rank; ++axis) is_one = is_one && strides[axis] == 0;
        if (is_one || view.is_host_scalar) return OperandKind::one;
        const bool aligned = is_group_aligned(view.data, view.dtype);
        if (axes.rank == 1) return aligned && strides[0] == 1 ? OperandKind::packed : OperandKind::strided;
        if (axes.rank != 2) return OperandKind::strided;
        if (aligned && strides[0] == axes.shape[1] && strides[1] == 1) return OperandKind::packed;
        if (axes.shape[1] % group != 0) return OperandKind::strided;
        if (aligned && strides[0] == 0 && strides[1] == 1) return OperandKind::row;
        return strides[0] == 1 && strides[1] == 0 ? OperandKind::column : OperandKind::strided;
    }
};

// Group number g of `count` elements. Where they are not packed, the lanes of a block take elements side by
// side.
__device__ __forceinline__ GroupPlace place_of(bool is_packed, int64_t count, int64_t g) {
    if (is_packed) {
        const int64_t first = g * group, rest = count - first;
        return {first, 1, rest < group ? static_cast<int>(rest) : group};
    }
    const int64_t lane = thread_index(), lanes = thread_count(), first = (g - lane) * group + lane;
    int valid = 0;
    while (valid < group && first + valid * lanes < count) ++valid;
    return {first, lanes, valid};
}

// What stays the same for all elements; read once, before the loop.
template <class T, int inputs>
__device__ __forceinline__ void load_ones(const Walk<inputs>& walk, T (&ones)[inputs]) {
    for (int k = 0; k < inputs; ++k)
        ones[k] = walk.in[k].kind == OperandKind::one ? load_as<T>(walk.in[k].source, 0) : T(1);
}

// values [inputs][group]; places that do not exist get a value that does no harm
template <class T, int inputs>
__device__ __forceinline__ void load_operands(const Walk<inputs>& walk, const GroupPlace& place,
                                              const T (&ones)[inputs], Group<T> (&values)[inputs]) {
#pragma unroll
    for (int k = 0; k < inputs; ++k) {
#pragma unroll
        for (int i = 0; i < group; ++i) values[k][i] = ones[k];
    }
    if (!walk.is_packed) {
#pragma unroll
        for (int i = 0; i < group; ++i) {
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
            for (int i = 0; i < group; ++i) values[k][i] = value;
            continue;
        }
        int64_t at = place.first;
        if (x.kind == OperandKind::row) at -= quotient_of(at, walk.period) * walk.period;
        if (place.valid == group) {
            load_group(x.source, at, values[k]);
        } else {
#pragma unroll
            for (int i = 0; i < group; ++i) {
                if (i < place.valid) values[k][i] = load_as<T>(x.source, at + i);
            }
        }
    }
}

template <class T, int inputs>
__device__ __forceinline__ void store_result(const Walk<inputs>& walk, const GroupPlace& place,
                                             const Group<T>& values) {
    if (walk.is_packed && place.valid == group)
        return store_group(walk.out, walk.out_dtype, place.first, values);
#pragma unroll
    for (int i = 0; i < group; ++i) {
        if (i >= place.valid) continue;
        int64_t at = place.first + i * place.step;
        if (!walk.is_packed) at = locate(walk.axes, at).of[0];
        store_as(walk.out, walk.out_dtype, at, values[i]);
    }
}

// body(values [inputs][group], place, out) for each group of the walk that falls to this lane
template <class T, int inputs, class Body>
__device__ __forceinline__ void each_group(const Walk<inputs>& walk, const Body& body) {
    T ones[inputs];
    load_ones(walk, ones);
    for (int64_t g = grid_thread_index();; g += grid_thread_count()) {
        const GroupPlace place = place_of(walk.is_packed, walk.count, g);
        if (place.valid <= 0) return;
        Group<T> values[inputs], out;
        load_operands(walk, place, ones, values);
        body(values, place, out);
        store_result(walk, place, out);
    }
}

template <class Function>
void expect_function(int32_t function, Function count) {
    if (function < 0 || function >= static_cast<int32_t>(count)) fail("no function %d", function);
}

}  // namespace nativegrad::cuda
