// Folds a tensor along axes with a function's own state per output. Work is cut by shape alone and the states
// of the pieces are joined in order, so the bits do not depend on the number of threads.
//
// A fold F over elements of T has
//   State                                          what is known of the elements seen so far
//   State start(output)                            before the first element of that output
//   void block(State&, const T* x, n, output)      n elements of one output
//   void rows(State*, x, row_stride, rows, n, outputs)   x[r, j] into state j, which belongs to outputs(j)
//   void join(State&, const State& later)
//   in_order (optional)                            it numbers them: those of a state must be neighbours
#pragma once

#include <type_traits>

#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/ops/reduction_plan.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

constexpr int64_t fold_task_elements = 16384;
constexpr int64_t fold_columns = 64;

// Into how many pieces the reduced elements are cut, when there are `groups` independent groups of outputs.
inline int64_t fold_pieces(int64_t groups, int64_t elements_per_group) {
    const int64_t wanted = 256 / std::max<int64_t>(groups, 1);
    const int64_t useful = elements_per_group / fold_task_elements;
    return std::max<int64_t>(1, std::min(wanted, useful));
}

template <class F, class = void>
struct IsInOrder : std::false_type {};
template <class F>
struct IsInOrder<F, std::void_t<decltype(F::in_order)>> : std::true_type {};

// Which outputs the columns of a block belong to.
struct ColumnOutputs {
    int64_t first, stride, period;  // columns repeat after `period`
    int64_t operator()(int64_t column) const { return first + column % period * stride; }
};

template <class T, class F>
class Folder {
  public:
    using State = typename F::State;
    static_assert(std::is_trivially_copyable_v<State>, "states of pieces lie in a work buffer");

    Folder(const TensorView& x, const ReductionPlan& plan, const F& f) : x_(x), plan_(plan), f_(f) {}

    // finish(output, state) for every output
    template <class Finish>
    void run(const Finish& finish) const {
        if (plan_.outputs == 0) return;
        const int32_t axis = plan_.column_axis();
        if (axis >= 0 && plan_.count > 0) {
            run_columns(axis, finish);
        } else {
            run_blocks(finish);
        }
    }

  private:
    int64_t piece_begin(int64_t piece, int64_t pieces) const {
        const int64_t length = (plan_.count + pieces - 1) / pieces;
        return std::min(plan_.count, piece * length);
    }

    State fold_blocks(int64_t output, int64_t begin, int64_t end) const {
        State state = f_.start(output);
        const int64_t base = plan_.kept.offset(output), stride = plan_.reduced.inner_stride();
        T buffer[block_size];
        plan_.reduced.each_run(begin, end, block_size, [&](int64_t offset, int64_t n) {
            const void* from = element(x_, base + offset);
            if (x_.dtype == own_dtype<T>() && (stride == 1 || n == 1))
                return f_.block(state, static_cast<const T*>(from), n, output);
            load_block(x_.dtype, from, stride, n, buffer);
            f_.block(state, buffer, n, output);
        });
        return state;
    }

    template <class Finish>
    void run_blocks(const Finish& finish) const {
        const int64_t pieces = fold_pieces(plan_.outputs, plan_.count);
        if (pieces == 1) {
            const int64_t group =
                std::max<int64_t>(1, fold_task_elements / std::max<int64_t>(plan_.count, 1));
            return parallel_for((plan_.outputs + group - 1) / group, [&](int64_t task) {
                const int64_t end = std::min(plan_.outputs, (task + 1) * group);
                for (int64_t i = task * group; i < end; ++i) finish(i, fold_blocks(i, 0, plan_.count));
            });
        }
        const WorkBuffer<State> states(plan_.outputs * pieces);
        parallel_for(plan_.outputs * pieces, [&](int64_t task) {
            const int64_t piece = task % pieces;
            states.data()[task] =
                fold_blocks(task / pieces, piece_begin(piece, pieces), piece_begin(piece + 1, pieces));
        });
        for (int64_t i = 0; i < plan_.outputs; ++i) {
            State state = states.data()[i * pieces];
            for (int64_t piece = 1; piece < pieces; ++piece)
                f_.join(state, states.data()[i * pieces + piece]);
            finish(i, state);
        }
    }

    // One block of up to fold_columns neighbouring outputs.
    struct Columns {
        int64_t base, width;  // element offset in x, number of columns
        ColumnOutputs outputs;
    };

    struct ColumnLayout {
        AxisSet outer;                    // kept axes without the column axis
        int64_t outer_outputs[max_rank];  // output strides of these axes
        int64_t size, blocks, output_stride;

        ColumnLayout(const ReductionPlan& plan, int32_t axis) {
            int64_t stride = 1;
            int64_t output_strides[max_rank];
            for (int32_t i = plan.kept.rank - 1; i >= 0; --i) {
                output_strides[i] = stride;
                stride *= plan.kept.shape[i];
            }
            for (int32_t i = 0; i < plan.kept.rank; ++i) {
                if (i == axis) continue;
                outer_outputs[outer.rank] = output_strides[i];
                outer.append(plan.kept.shape[i], plan.kept.strides[i]);
            }
            size = plan.kept.shape[axis];
            blocks = (size + fold_columns - 1) / fold_columns;
            output_stride = output_strides[axis];
        }

        Columns at(int64_t index) const {
            const int64_t first = index % blocks * fold_columns;
            int64_t rest = index / blocks, output = first * output_stride;
            const int64_t base = outer.offset(rest) + first;
            for (int32_t i = outer.rank - 1; i >= 0; --i) {
                output += rest % outer.shape[i] * outer_outputs[i];
                rest /= outer.shape[i];
            }
            return {base, std::min(fold_columns, size - first), {output, output_stride, size}};
        }
    };

    // Short rows without gaps, several of them as one.
    void fold_short_rows(const Columns& columns, int64_t begin, int64_t end, State* states) const {
        const int64_t n = columns.width, joined = fold_columns / n, groups = (end - begin) / joined;
        const T* from =
            static_cast<const T*>(static_cast<const void*>(element(x_, columns.base + begin * n)));
        State wide[fold_columns];
        for (int64_t j = 0; j < joined * n; ++j) wide[j] = f_.start(columns.outputs(j));
        f_.rows(wide, from, joined * n, groups, joined * n, columns.outputs);
        const int64_t rest = end - begin - groups * joined;
        f_.rows(wide, from + groups * joined * n, n, rest, n, columns.outputs);
        for (int64_t j = 0; j < n; ++j) {
            states[j] = wide[j];
            for (int64_t row = 1; row < joined; ++row) f_.join(states[j], wide[row * n + j]);
        }
    }

    bool has_short_rows(const Columns& columns) const {
        return !IsInOrder<F>::value && x_.dtype == own_dtype<T>() && 2 * columns.width <= fold_columns &&
               plan_.reduced.rank == 1 && plan_.reduced.inner_stride() == columns.width;
    }

    void fold_rows(const Columns& columns, int64_t begin, int64_t end, State* states) const {
        if (has_short_rows(columns)) return fold_short_rows(columns, begin, end, states);
        for (int64_t j = 0; j < columns.width; ++j) states[j] = f_.start(columns.outputs(j));
        const int64_t stride = plan_.reduced.inner_stride();
        const bool direct = x_.dtype == own_dtype<T>();
        T buffer[fold_columns];
        plan_.reduced.each_run(begin, end, direct ? 256 : 1, [&](int64_t offset, int64_t rows) {
            const void* from = element(x_, columns.base + offset);
            if (direct) {
                return f_.rows(states, static_cast<const T*>(from), stride, rows, columns.width,
                               columns.outputs);
            }
            load_block(x_.dtype, from, 1, columns.width, buffer);
            f_.rows(states, buffer, 0, 1, columns.width, columns.outputs);
        });
    }

    template <class Finish>
    void run_columns(int32_t axis, const Finish& finish) const {
        const ColumnLayout layout(plan_, axis);
        const int64_t groups = layout.outer.count * layout.blocks;
        const int64_t width = std::min(layout.size, fold_columns);
        const int64_t pieces = fold_pieces(groups, plan_.count * width);
        if (pieces == 1) {
            const int64_t per_task = std::max<int64_t>(1, fold_task_elements / (width * plan_.count));
            return parallel_for((groups + per_task - 1) / per_task, [&](int64_t task) {
                const int64_t end = std::min(groups, (task + 1) * per_task);
                for (int64_t i = task * per_task; i < end; ++i) {
                    State states[fold_columns];
                    const Columns columns = layout.at(i);
                    fold_rows(columns, 0, plan_.count, states);
                    for (int64_t j = 0; j < columns.width; ++j) finish(columns.outputs(j), states[j]);
                }
            });
        }
        const WorkBuffer<State> states(groups * pieces * fold_columns);
        parallel_for(groups * pieces, [&](int64_t task) {
            const int64_t piece = task % pieces;
            fold_rows(layout.at(task / pieces), piece_begin(piece, pieces), piece_begin(piece + 1, pieces),
                      states.data() + task * fold_columns);
        });
        for (int64_t i = 0; i < groups; ++i) {
            State* first = states.data() + i * pieces * fold_columns;
            const Columns columns = layout.at(i);
            for (int64_t j = 0; j < columns.width; ++j) {
                for (int64_t piece = 1; piece < pieces; ++piece)
                    f_.join(first[j], first[piece * fold_columns + j]);
                finish(columns.outputs(j), first[j]);
            }
        }
    }

    const TensorView& x_;
    const ReductionPlan& plan_;
    const F& f_;
};

template <class T, class F, class Finish>
void fold(const TensorView& x, const ReductionPlan& plan, const F& f, const Finish& finish) {
    Folder<T, F>(x, plan, f).run(finish);
}

}  // namespace nativegrad::cpu
