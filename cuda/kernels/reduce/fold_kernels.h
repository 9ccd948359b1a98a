// A fold over the axes of a plan. How the work is cut depends on the shape alone, so the bits repeat.
#pragma once

#include "backend/queue.h"
#include "device/device.h"
#include "kernels/reduce/folds.h"
#include "kernels/reduce/plan.h"

namespace nativegrad::cuda {

constexpr int fold_threads = 256;

// How the elements of an output are shared: pieces (of `length` elements) by blocks, each by members that
// take row_pack neighbours in turn.
struct FoldShape {
    int members;     // lanes of one output: 32 or fold_threads; in columns: 1 or 8 rows at a time
    int64_t pieces;  // more than one: states of pieces go to scratch memory
    int64_t length;
    bool packs;  // whole packs lie in aligned memory
};

template <class State>
__device__ __forceinline__ State shuffle_down_state(const State& state, int delta) {
    using Word = std::conditional_t<sizeof(State) % 8 == 0, uint64_t, uint32_t>;
    constexpr int words = static_cast<int>(sizeof(State) / sizeof(Word));
    Word parts[words];
    memcpy(parts, &state, sizeof state);
    for (int i = 0; i < words; ++i) parts[i] = shuffle_down(parts[i], delta);
    State other;
    memcpy(&other, parts, sizeof other);
    return other;
}

// The states of a warp in lane 0.
template <class F>
__device__ __forceinline__ typename F::State join_warp(const F& fold, typename F::State state) {
    for (int step = warp_size / 2; step > 0; step /= 2) fold.join(state, shuffle_down_state(state, step));
    return state;
}

__device__ __forceinline__ int64_t reduced_offset(const StridedAxes<2>& axes, int64_t i) {
    return locate(axes, i).of[1];
}

// The packs of one member out of `members` in [begin, end) of the output whose elements start at `base`
template <class T, class F>
__device__ __forceinline__ typename F::State fold_member(const F& fold, const Source& x,
                                                         const StridedAxes<2>& axes, int64_t base,
                                                         int64_t begin, int64_t end, int member, int members,
                                                         bool packs) {
    typename F::State state = fold.first();
    for (int64_t i = begin + int64_t{member} * row_pack; i < end; i += int64_t{members} * row_pack) {
        T values[row_pack];
        if (packs && i + row_pack <= end) {
            load_row_pack(x.data, x.dtype, base + reduced_offset(axes, i), values);
            fold.pack(state, values, i);
        } else if (i + row_pack <= end) {
            for (int k = 0; k < row_pack; ++k) values[k] = load_as<T>(x, base + reduced_offset(axes, i + k));
            fold.pack(state, values, i);
        } else {
            for (int64_t k = i; k < end; ++k)
                fold.one(state, load_as<T>(x, base + reduced_offset(axes, k)), k);
        }
    }
    return state;
}

template <class F>
__device__ __forceinline__ void write_fold(const F& fold, const typename F::State& state,
                                           const ReducePlan& plan, int64_t at, void* out, DType dtype) {
    fold.finish(state, plan.count, [&](auto value) { store_as(out, dtype, at, value); });
}

// x [kept, reduced] -> out [kept], or states [kept, pieces] where there is no out; a warp or a block per
// output and piece
template <class T, class F>
__device__ __forceinline__ void fold_rows(const Source& x, const ReducePlan& plan, const F& fold,
                                          const FoldShape& shape, typename F::State* states, void* out,
                                          DType dtype) {
    SharedArena arena;
    using State = typename F::State;
    State* parts = arena.take<State>(fold_threads / warp_size);
    const int groups = thread_count() / shape.members;
    const int64_t task = int64_t{block_index()} * groups + thread_index() / shape.members;
    const int64_t output = task / shape.pieces, begin = task % shape.pieces * shape.length;
    const bool valid = output < plan.outputs;
    const Offsets<2> at = locate(plan.kept, valid ? output : 0);
    const int64_t stop = begin + shape.length, end = stop < plan.count ? stop : plan.count;
    State state = fold_member<T>(fold, x, plan.reduced, at.of[0], begin, valid ? end : begin,
                                 thread_index() % shape.members, shape.members, shape.packs);
    state = join_warp(fold, state);
    bool is_writer = lane_index() == 0 && valid;
    if (shape.members > warp_size) {
        if (lane_index() == 0) parts[warp_index()] = state;
        block_barrier();
        is_writer = thread_index() == 0;
        for (int i = 1; is_writer && i < warp_count(); ++i) fold.join(state, parts[i]);
    }
    if (!is_writer) return;
    if (out == nullptr) {
        states[task] = state;
    } else {
        write_fold(fold, state, plan, at.of[1], out, dtype);
    }
}

// x [reduced, kept] -> out [kept], or states [kept, pieces] where there is no out; neighbouring lanes have
// neighbouring outputs, `members` lanes each
template <class T, class F>
__device__ __forceinline__ void fold_columns(const Source& x, const ReducePlan& plan, const F& fold,
                                             const FoldShape& shape, typename F::State* states, void* out,
                                             DType dtype) {
    SharedArena arena;
    using State = typename F::State;
    State* parts = arena.take<State>(fold_threads);
    const int width = thread_count() / shape.members;
    const int column = thread_index() % width, member = thread_index() / width;
    const int64_t output = int64_t{block_index()} * width + column, piece = block_index_y();
    const bool valid = output < plan.outputs;
    const Offsets<2> at = locate(plan.kept, valid ? output : 0);
    const int64_t begin = piece * shape.length, stop = begin + shape.length;
    const int64_t end = stop < plan.count ? stop : plan.count;
    State state = fold_member<T>(fold, x, plan.reduced, at.of[0], begin, valid ? end : begin, member,
                                 shape.members, false);
    if (shape.members > 1) {
        parts[thread_index()] = state;
        block_barrier();
        for (int i = 1; member == 0 && i < shape.members; ++i) fold.join(state, parts[i * width + column]);
    }
    if (!valid || member != 0) return;
    if (out == nullptr) {
        states[output * shape.pieces + piece] = state;
    } else {
        write_fold(fold, state, plan, at.of[1], out, dtype);
    }
}

// states [kept, pieces] -> out [kept]; a warp per output
template <class F>
__device__ __forceinline__ void join_pieces(const typename F::State* states, const ReducePlan& plan,
                                            const F& fold, int64_t pieces, void* out, DType dtype) {
    const int64_t output = int64_t{block_index()} * warp_count() + warp_index();
    typename F::State state = fold.first();
    for (int64_t i = lane_index(); output < plan.outputs && i < pieces; i += warp_size)
        fold.join(state, states[output * pieces + i]);
    state = join_warp(fold, state);
    if (lane_index() != 0 || output >= plan.outputs) return;
    write_fold(fold, state, plan, locate(plan.kept, output).of[1], out, dtype);
}

inline FoldShape fold_shape(const ReducePlan& plan, bool columns, bool packs) {
    constexpr int64_t wanted_blocks = 1024;
    FoldShape shape{1, 1, plan.count, packs};
    int64_t blocks, least;
    if (columns) {
        shape.members = plan.count >= 8 * row_pack && plan.outputs < 65536 ? 8 : 1;
        blocks = blocks_for(plan.outputs, fold_threads / shape.members);
        least = 8 * row_pack * shape.members;
    } else {
        shape.members = plan.count >= 2048 ? fold_threads : warp_size;
        blocks = blocks_for(plan.outputs, fold_threads / shape.members);
        least = 4 * row_pack * fold_threads;
    }
    const int64_t useful = plan.count / least, spare = wanted_blocks / blocks;
    const int64_t pieces = useful < spare ? useful : spare;
    if (pieces <= 1) return shape;
    if (!columns) shape.members = fold_threads;
    shape.length = (plan.count + pieces * row_pack - 1) / (pieces * row_pack) * row_pack;
    shape.pieces = (plan.count + shape.length - 1) / shape.length;
    return shape;
}

// How elements of x are folded as T.
struct FoldWay {
    Source x;
    bool columns;
    FoldShape shape;

    template <class T>
    static FoldWay of(const TensorView& x, const ReducePlan& plan) {
        const Source source = source_of(x);
        const bool columns = plan.is_columns() || plan.count <= 4 * row_pack;
        const bool packs = packs_as<T>(x.dtype) && source.data != nullptr && plan.has_packs(source.data);
        return {source, columns, fold_shape(plan, columns, packs)};
    }
};

// x [...] -> out [kept axes], or, without `out`, states [kept axes, pieces]
template <class T, class F>
void launch_fold(const FoldWay& way, const ReducePlan& plan, const F& fold, typename F::State* states,
                 void* out, DType dtype, Stream stream) {
    using State = typename F::State;
    const int64_t per_block = fold_threads / way.shape.members;
    if (way.columns) {
        const Grid grid{{blocks_for(plan.outputs, per_block), way.shape.pieces},
                        fold_threads,
                        shared_bytes<State>(fold_threads)};
        launch_batched<fold_columns<T, F>>(grid, stream, way.x, plan, fold, way.shape, states, out, dtype);
    } else {
        const Grid grid{blocks_for(plan.outputs * way.shape.pieces, per_block), fold_threads,
                        shared_bytes<State>(fold_threads / warp_size)};
        launch_batched<fold_rows<T, F>>(grid, stream, way.x, plan, fold, way.shape, states, out, dtype);
    }
}

// x [...] -> out [kept axes], dense; elements as T
template <class T, class F>
void run_fold(const TensorView& x, const TensorView& out, const ReducePlan& plan, const F& fold,
              Queue& queue) {
    if (plan.outputs == 0) return;
    using State = typename F::State;
    const FoldWay way = FoldWay::of<T>(x, plan);
    const int64_t pieces = way.shape.pieces;
    if (pieces == 1)
        return launch_fold<T>(way, plan, fold, static_cast<State*>(nullptr), out.data, out.dtype,
                              queue.stream());
    const Scratch scratch(queue, static_cast<size_t>(plan.outputs * pieces) * sizeof(State));
    State* const states = scratch.as<State>();
    launch_fold<T>(way, plan, fold, states, nullptr, out.dtype, queue.stream());
    const Grid grid{blocks_for(plan.outputs, fold_threads / warp_size), fold_threads};
    launch_batched<join_pieces<F>>(grid, queue.stream(), states, plan, fold, pieces, out.data, out.dtype);
}

}  // namespace nativegrad::cuda
