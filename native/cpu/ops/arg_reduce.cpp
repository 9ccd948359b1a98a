#include "cpu/cpu_backend.h"
#include "cpu/ops/fold_functions.h"

namespace nativegrad::cpu {

namespace {

// Where the first extreme lies; the first NaN beats everything, as in PyTorch.
template <class T, bool largest>
struct ArgFold {
    static constexpr bool in_order = true;
    struct State {
        T best;
        int64_t index;  // -1: nothing seen
        int64_t seen;
    };

    static bool better(T v, T best) { return best == best && ((largest ? v > best : v < best) || v != v); }

    State start(int64_t) const { return {T(0), -1, 0}; }

    static void one(State& state, T v) {
        if (state.index < 0 || better(v, state.best)) {
            state.best = v;
            state.index = state.seen;
        }
        ++state.seen;
    }

    void block(State& state, const T* x, int64_t n, int64_t) const {
        if constexpr (std::is_same_v<T, float>) {
            // One fast pass for the value; a second one for its place only where it is better.
            const T best = largest ? kernels().reduce.max(x, n) : kernels().reduce.min(x, n);
            if (state.index < 0 || better(best, state.best)) {
                int64_t i = 0;
                while (best == best ? x[i] != best : x[i] == x[i]) ++i;
                state.best = best;
                state.index = state.seen + i;
            }
            state.seen += n;
        } else {
            for (int64_t i = 0; i < n; ++i) one(state, x[i]);
        }
    }

    void rows(State* states, const T* x, int64_t row_stride, int64_t rows, int64_t n,
              const ColumnOutputs&) const {
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t j = 0; j < n; ++j) one(states[j], x[r * row_stride + j]);
        }
    }

    void join(State& state, const State& later) const {
        if (later.index >= 0 && (state.index < 0 || better(later.best, state.best))) {
            state.best = later.best;
            state.index = state.seen + later.index;
        }
        state.seen += later.seen;
    }
};

template <class T, bool largest>
void run_arg_reduce(const TensorView& x, const TensorView& out, const ReductionPlan& plan) {
    fold<T>(x, plan, ArgFold<T, largest>{}, [&](int64_t i, const auto& state) {
        store_block(out.dtype, element(out, i), 1, 1, &state.index);
    });
}

}  // namespace

// x [...] -> index of the first extreme along the reduced axes (flattened in logical order), integer dtype
void arg_reduce(const OpCall& call, const ReduceParams& params) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    const ReductionPlan plan(x, params.axes, true);
    if (params.function < 0 || params.function >= static_cast<int32_t>(ArgReduceFunction::count))
        fail("no function %d", params.function);
    if (element_count(out) != plan.outputs || !is_row_major(out)) fail("the output has the wrong size");
    if (plan.count == 0 && plan.outputs > 0) fail("no elements to choose from");
    with_compute_type(x.dtype, [&](auto type) {
        using T = decltype(type);
        if (static_cast<ArgReduceFunction>(params.function) == ArgReduceFunction::argmax) {
            run_arg_reduce<T, true>(x, out, plan);
        } else {
            run_arg_reduce<T, false>(x, out, plan);
        }
    });
}

}  // namespace nativegrad::cpu
