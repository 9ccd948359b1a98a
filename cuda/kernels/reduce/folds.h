// The folds behind the reductions. A fold over elements of T has
//   State                            what is known of the elements seen so far
//   State first()                    before the first element
//   void one(State&, T, place)       the element at `place` of its output
//   void pack(State&, const T (&)[row_pack], place)    row_pack of them
//   void join(State&, const State& later)
//   finish(State, count)             the result, as double, int64_t or T
// Sums of floats are joined in double; integers stay in int64 and wrap around.
#pragma once

#include <type_traits>

#include "device/maths.h"
#include "kernels/packs.h"

namespace nativegrad::cuda {

template <class T>
using FoldTotal = std::conditional_t<std::is_same_v<T, int64_t>, int64_t, double>;

__device__ __forceinline__ int64_t wrapping_plus(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
__device__ __forceinline__ double wrapping_plus(double a, double b) { return a + b; }
__device__ __forceinline__ int64_t wrapping_times(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
__device__ __forceinline__ double wrapping_times(double a, double b) { return a * b; }

// The sum of a pack in its own type, as a tree: one addition in double for eight elements of float.
template <class T>
__device__ __forceinline__ T pack_sum(const T (&x)[row_pack]) {
    if constexpr (std::is_same_v<T, int64_t>) {
        int64_t sum = 0;
        for (int i = 0; i < row_pack; ++i) sum = wrapping_plus(sum, x[i]);
        return sum;
    } else {
        return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
    }
}

// `mean`: the sum by the number of elements; 0 / 0 is NaN where there are none.
template <class T>
struct SumFold {
    using State = FoldTotal<T>;
    bool mean;

    __device__ __forceinline__ State first() const { return 0; }
    __device__ __forceinline__ void one(State& total, T v, int64_t) const {
        total = wrapping_plus(total, static_cast<State>(v));
    }
    __device__ __forceinline__ void pack(State& total, const T (&x)[row_pack], int64_t) const {
        total = wrapping_plus(total, static_cast<State>(pack_sum(x)));
    }
    __device__ __forceinline__ void join(State& total, State later) const {
        total = wrapping_plus(total, later);
    }
    template <class Write>
    __device__ __forceinline__ void finish(State total, int64_t count, const Write& write) const {
        if (mean) {
            write(static_cast<double>(total) / static_cast<double>(count));
        } else {
            write(total);
        }
    }
};

template <class T>
struct ProdFold {
    using State = FoldTotal<T>;

    __device__ __forceinline__ State first() const { return 1; }
    __device__ __forceinline__ void one(State& total, T v, int64_t) const {
        total = wrapping_times(total, static_cast<State>(v));
    }
    __device__ __forceinline__ void pack(State& total, const T (&x)[row_pack], int64_t place) const {
        for (int i = 0; i < row_pack; ++i) one(total, x[i], place + i);
    }
    __device__ __forceinline__ void join(State& total, State later) const {
        total = wrapping_times(total, later);
    }
    template <class Write>
    __device__ __forceinline__ void finish(State total, int64_t, const Write& write) const {
        write(total);
    }
};

__device__ __forceinline__ float negated(float v) { return -v; }
__device__ __forceinline__ double negated(double v) { return -v; }
__device__ __forceinline__ int64_t negated(int64_t v) { return wrapping_times(-1, v); }

// Turns the order of all values around; its own inverse.
__device__ __forceinline__ float reversed(float v) { return -v; }
__device__ __forceinline__ double reversed(double v) { return -v; }
__device__ __forceinline__ int64_t reversed(int64_t v) { return ~v; }

template <class T>
__device__ __forceinline__ T lowest() {
    if constexpr (std::is_same_v<T, int64_t>) {
        return INT64_MIN;
    } else {
        return -static_cast<T>(infinity());
    }
}

// The largest (else the smallest) element, or magnitude; NaN wins.
template <class T>
struct ExtremeFold {
    using State = T;
    bool largest, magnitude;

    __device__ __forceinline__ State first() const { return lowest<T>(); }
    __device__ __forceinline__ void one(State& best, T v, int64_t) const {
        if (magnitude && v < T(0)) v = negated(v);
        join(best, largest ? v : reversed(v));
    }
    __device__ __forceinline__ void pack(State& best, const T (&x)[row_pack], int64_t place) const {
        for (int i = 0; i < row_pack; ++i) one(best, x[i], place + i);
    }
    __device__ __forceinline__ void join(State& best, State v) const {
        if ((v > best || v != v) && best == best) best = v;
    }
    template <class Write>
    __device__ __forceinline__ void finish(State best, int64_t, const Write& write) const {
        write(largest ? best : reversed(best));
    }
};

enum class CountResult { count, any, all };

// How many elements are not 0.
template <class T>
struct CountFold {
    using State = int64_t;
    CountResult result;

    __device__ __forceinline__ State first() const { return 0; }
    __device__ __forceinline__ void one(State& found, T v, int64_t) const { found += v != T(0) ? 1 : 0; }
    __device__ __forceinline__ void pack(State& found, const T (&x)[row_pack], int64_t) const {
        int here = 0;
        for (int i = 0; i < row_pack; ++i) here += x[i] != T(0) ? 1 : 0;
        found += here;
    }
    __device__ __forceinline__ void join(State& found, State later) const { found += later; }
    template <class Write>
    __device__ __forceinline__ void finish(State found, int64_t count, const Write& write) const {
        write(result == CountResult::count
                  ? found
                  : int64_t{result == CountResult::any ? found > 0 : found == count});
    }
};

// (sum of |x|^p)^(1/p)
template <class T>
struct NormFold {
    using State = double;
    double p;

    __device__ __forceinline__ State first() const { return 0; }
    __device__ __forceinline__ void one(State& total, T v, int64_t) const {
        const double magnitude = fabs(static_cast<double>(v));
        total += p == 1 ? magnitude : p == 2 ? magnitude * magnitude : pow(magnitude, p);
    }
    __device__ __forceinline__ void pack(State& total, const T (&x)[row_pack], int64_t place) const {
        for (int i = 0; i < row_pack; ++i) one(total, x[i], place + i);
    }
    __device__ __forceinline__ void join(State& total, State later) const { total += later; }
    template <class Write>
    __device__ __forceinline__ void finish(State total, int64_t, const Write& write) const {
        write(p == 1 ? total : p == 2 ? sqrt(total) : pow(total, 1 / p));
    }
};

struct MomentState {
    double count, mean, squares;  // squares around the mean
};

// Variance or its root: squares around the mean by count - correction, groups joined as by Chan et al.
// ("Algorithms for computing the sample variance", 1983).
template <class T>
struct MomentFold {
    using State = MomentState;
    double correction;
    bool root;

    __device__ __forceinline__ State first() const { return {0, 0, 0}; }
    __device__ __forceinline__ void one(State& state, T v, int64_t) const {
        const double x = static_cast<double>(v), distance = x - state.mean;
        state.count += 1;
        state.mean += distance / state.count;
        state.squares += distance * (x - state.mean);
    }
    __device__ __forceinline__ void pack(State& state, const T (&x)[row_pack], int64_t) const {
        const T center = pack_sum(x) * T(1.0 / row_pack);
        T distances[row_pack], squares[row_pack];
        for (int i = 0; i < row_pack; ++i) {
            distances[i] = x[i] - center;
            squares[i] = distances[i] * distances[i];
        }
        // The center was rounded: the distances tell by how much.
        const double gap = static_cast<double>(pack_sum(distances)) / row_pack;
        const double spread = static_cast<double>(pack_sum(squares)) - row_pack * gap * gap;
        join(state, {row_pack, static_cast<double>(center) + gap, spread});
    }
    __device__ __forceinline__ void join(State& state, const State& later) const {
        if (later.count == 0) return;
        const double all = state.count + later.count, distance = later.mean - state.mean;
        const double share = later.count / all;
        state.mean += distance * share;
        state.squares += later.squares + distance * distance * state.count * share;
        state.count = all;
    }
    template <class Write>
    __device__ __forceinline__ void finish(const State& state, int64_t count, const Write& write) const {
        const double freedom = static_cast<double>(count) - correction, divisor = freedom > 0 ? freedom : 0;
        const double variance = (state.squares < 0 ? 0.0 : state.squares) / divisor;
        write(root ? sqrt(variance) : variance);
    }
};

struct ExpState {
    double largest, total;  // total: sum of exp(x - largest)
};

// log of the sum of exp(x)
template <class T>
struct LogSumExpFold {
    using State = ExpState;

    __device__ __forceinline__ State first() const { return {lowest<double>(), 0}; }
    // exp of a distance that is 0 or below; that between two infinities is 0.
    static __device__ __forceinline__ double exp_of(double v, double shift) {
        return v == shift ? 1.0 : static_cast<double>(exp(static_cast<T>(v - shift)));
    }
    __device__ __forceinline__ void one(State& state, T v, int64_t) const {
        join(state, {static_cast<double>(v), 1});
    }
    __device__ __forceinline__ void pack(State& state, const T (&x)[row_pack], int64_t) const {
        T shift = x[0], total = 0;
        for (int i = 1; i < row_pack; ++i) shift = shift != shift || shift > x[i] ? shift : x[i];
        for (int i = 0; i < row_pack; ++i) total += x[i] == shift ? T(1) : exp(x[i] - shift);
        join(state, {static_cast<double>(shift), static_cast<double>(total)});
    }
    // A NaN stays the largest.
    __device__ __forceinline__ void join(State& state, const State& later) const {
        if (state.largest != state.largest || later.total == 0) return;
        if (later.largest <= state.largest) {
            state.total += later.total * exp_of(later.largest, state.largest);
        } else {
            state.total = state.total * exp_of(state.largest, later.largest) + later.total;
            state.largest = later.largest;
        }
    }
    template <class Write>
    __device__ __forceinline__ void finish(const State& state, int64_t, const Write& write) const {
        const double shift = state.largest;
        write(fabs(shift) < static_cast<double>(infinity()) ? shift + log(state.total) : shift);
    }
};

template <class T>
struct ArgState {
    T best;
    int64_t place;  // -1: nothing seen
};

// Where the first extreme lies; the first NaN beats everything, as in PyTorch.
template <class T>
struct ArgFold {
    using State = ArgState<T>;
    bool largest;

    __device__ __forceinline__ State first() const { return {lowest<T>(), -1}; }
    __device__ __forceinline__ void one(State& state, T v, int64_t place) const {
        join(state, {largest ? v : reversed(v), place});
    }
    __device__ __forceinline__ void pack(State& state, const T (&x)[row_pack], int64_t place) const {
        for (int i = 0; i < row_pack; ++i) one(state, x[i], place + i);
    }
    // Whatever the order of the parts: among equals the lower place.
    __device__ __forceinline__ void join(State& state, const State& other) const {
        if (other.place < 0) return;
        const bool here = state.best != state.best, there = other.best != other.best;
        const bool same = here == there && (here || state.best == other.best);
        const bool better = there != here ? there : other.best > state.best;
        if (state.place < 0 || (same ? other.place < state.place : better)) state = other;
    }
    template <class Write>
    __device__ __forceinline__ void finish(const State& state, int64_t, const Write& write) const {
        write(state.place);
    }
};

}  // namespace nativegrad::cuda
