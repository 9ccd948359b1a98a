// The folds behind the reductions. Sums of floats are joined in double; integers stay in int64 and wrap
// around.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/kernel_table.h"
#include "cpu/ops/fold.h"

namespace nativegrad::cpu {

template <class T>
constexpr bool is_integer_fold = std::is_same_v<T, int64_t>;

template <class T>
using FoldTotal = std::conditional_t<is_integer_fold<T>, int64_t, double>;

inline int64_t wrapping_multiply(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
inline double wrapping_multiply(double a, double b) { return a * b; }
inline int64_t wrapping_plus(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline double wrapping_plus(double a, double b) { return a + b; }

// A fold that is given by Step: State first(), void one(State&, T), void join(State&, State).
template <class T, class Step>
struct PlainFold {
    using State = typename Step::State;
    Step step;

    State start(int64_t) const { return step.first(); }
    void block(State& state, const T* x, int64_t n, int64_t) const {
        for (int64_t i = 0; i < n; ++i) step.one(state, x[i]);
    }
    void rows(State* states, const T* x, int64_t row_stride, int64_t rows, int64_t n,
              const ColumnOutputs&) const {
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t j = 0; j < n; ++j) step.one(states[j], x[r * row_stride + j]);
        }
    }
    void join(State& state, const State& later) const { step.join(state, later); }
};

template <class T>
struct SumStep {
    using State = FoldTotal<T>;
    State first() const { return 0; }
    void one(State& total, T v) const { total = wrapping_plus(total, static_cast<State>(v)); }
    void join(State& total, State later) const { total = wrapping_plus(total, later); }
};

template <class T>
struct ProdStep {
    using State = FoldTotal<T>;
    State first() const { return 1; }
    void one(State& total, T v) const { total = wrapping_multiply(total, static_cast<State>(v)); }
    void join(State& total, State later) const { total = wrapping_multiply(total, later); }
};

// The largest (smallest) element, or magnitude; NaN wins.
template <class T, bool largest, bool magnitude>
struct ExtremeStep {
    using State = T;
    State first() const {
        using Limits = std::numeric_limits<T>;
        if constexpr (Limits::has_infinity) return largest ? -Limits::infinity() : Limits::infinity();
        return largest ? Limits::min() : Limits::max();
    }
    void join(State& best, T v) const {
        const bool better = largest ? v > best : v < best;
        if ((better || v != v) && best == best) best = v;
    }
    void one(State& best, T v) const { join(best, magnitude && v < 0 ? -v : v); }
};

template <class T, bool all>
struct LogicStep {
    using State = int64_t;
    State first() const { return all; }
    void one(State& truth, T v) const { join(truth, v != 0); }
    void join(State& truth, State later) const { truth = all ? truth & later : truth | later; }
};

template <class T>
struct CountStep {
    using State = int64_t;
    State first() const { return 0; }
    void one(State& count, T v) const { count += v != 0; }
    void join(State& count, State later) const { count += later; }
};

// sum of |x|^p
template <class T>
struct PowerStep {
    using State = double;
    double p;
    State first() const { return 0; }
    void one(State& total, T v) const {
        const double magnitude = std::fabs(static_cast<double>(v));
        total += p == 1 ? magnitude : p == 2 ? magnitude * magnitude : std::pow(magnitude, p);
    }
    void join(State& total, State later) const { total += later; }
};

template <class T>
struct SumFold : PlainFold<T, SumStep<T>> {};

template <>
struct SumFold<float> : PlainFold<float, SumStep<float>> {
    void block(double& total, const float* x, int64_t n, int64_t) const {
        total += static_cast<double>(kernels().reduce.sum(x, n));
    }
    void rows(double* totals, const float* x, int64_t row_stride, int64_t rows, int64_t n,
              const ColumnOutputs&) const {
        kernels().reduce.add_rows_wide(x, row_stride, rows, totals, n);
    }
};

template <class T, bool largest>
struct ExtremeFold : PlainFold<T, ExtremeStep<T, largest, false>> {};

template <bool largest>
struct ExtremeFold<float, largest> : PlainFold<float, ExtremeStep<float, largest, false>> {
    void block(float& best, const float* x, int64_t n, int64_t) const {
        this->step.join(best, largest ? kernels().reduce.max(x, n) : kernels().reduce.min(x, n));
    }
    void rows(float* best, const float* x, int64_t row_stride, int64_t rows, int64_t n,
              const ColumnOutputs&) const {
        (largest ? kernels().reduce.max_rows : kernels().reduce.min_rows)(x, row_stride, rows, best, n);
    }
};

// sum of (x - center)^2, with one center per output; centers are rounded to T
template <class T>
struct SquaresFold {
    using State = double;
    const double* centers;

    State start(int64_t) const { return 0; }
    void join(State& total, State later) const { total += later; }

    void block(State& total, const T* x, int64_t n, int64_t output) const {
        if constexpr (std::is_same_v<T, float>) {
            total += static_cast<double>(
                kernels().reduce.sum_of_squares(x, static_cast<float>(centers[output]), n));
        } else {
            for (int64_t i = 0; i < n; ++i) total += square(static_cast<double>(x[i]) - centers[output]);
        }
    }

    void rows(State* totals, const T* x, int64_t row_stride, int64_t rows, int64_t n,
              const ColumnOutputs& outputs) const {
        T center[fold_columns];
        for (int64_t j = 0; j < n; ++j) center[j] = static_cast<T>(centers[outputs(j)]);
        if constexpr (std::is_same_v<T, float>) {
            float partial[fold_columns] = {};
            kernels().reduce.add_square_rows(x, row_stride, rows, center, partial, n);
            for (int64_t j = 0; j < n; ++j) totals[j] += static_cast<double>(partial[j]);
        } else {
            for (int64_t r = 0; r < rows; ++r) {
                for (int64_t j = 0; j < n; ++j)
                    totals[j] += square(static_cast<double>(x[r * row_stride + j] - center[j]));
            }
        }
    }

    static double square(double d) { return d * d; }
};

// sum of exp(x - shift), with one shift per output
template <class T>
struct ExpFold {
    using State = double;
    const T* shifts;

    State start(int64_t) const { return 0; }
    void join(State& total, State later) const { total += later; }

    void block(State& total, const T* x, int64_t n, int64_t output) const {
        if constexpr (std::is_same_v<T, float>) {
            total += static_cast<double>(kernels().softmax.exp_sum(x, shifts[output], nullptr, n));
        } else {
            for (int64_t i = 0; i < n; ++i) total += std::exp(static_cast<double>(x[i] - shifts[output]));
        }
    }

    void rows(State* totals, const T* x, int64_t row_stride, int64_t rows, int64_t n,
              const ColumnOutputs& outputs) const {
        for (int64_t j = 0; j < n; ++j) {
            const T shift = shifts[outputs(j)];
            for (int64_t r = 0; r < rows; ++r)
                totals[j] += std::exp(static_cast<double>(x[r * row_stride + j] - shift));
        }
    }
};

}  // namespace nativegrad::cpu
