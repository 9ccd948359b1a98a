#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/cpu_backend.h"
#include "cpu/ops/axis_rows.h"

namespace nativegrad::cpu {

namespace {

// Unsigned keys in the order of the values: -0 and 0 are equal, NaN is the largest.
uint64_t sort_key(double value) {
    if (value != value) return UINT64_MAX;
    if (value == 0) value = 0;
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t{1} << 63);
}
uint64_t sort_key(int64_t value) { return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63); }
uint64_t sort_key(float value) { return sort_key(static_cast<double>(value)); }

// The index makes every item different, so any sort is a stable one.
struct SortItem {
    uint64_t key;
    int64_t index;
    bool operator<(const SortItem& other) const {
        return key != other.key ? key < other.key : index < other.index;
    }
};

template <class T>
void run_sort(const OpCall& call, const SortParams& params) {
    const TensorView &x = call.inputs[0], &values = call.outputs[0], &indices = call.outputs[1];
    const AxisRows rows(x, params.axis);
    const int64_t n = rows.length, k = values.shape[rows.axis];
    rows.each<T>(2 * n, [&](int64_t row, T* buffer) {
        const WorkBuffer<SortItem> memory(n);
        SortItem* items = memory.data();
        rows.read(x, row, buffer);
        for (int64_t i = 0; i < n; ++i) {
            const uint64_t key = sort_key(buffer[i]);
            items[i] = {params.descending ? ~key : key, i};
        }
        // For a few of many, a heap of k is faster; from about a tenth on, sorting everything is.
        if (k < n / 10) {
            std::partial_sort(items, items + k, items + n);
        } else {
            std::sort(items, items + n);
        }
        T* sorted = buffer + n;
        for (int64_t i = 0; i < k; ++i) sorted[i] = buffer[items[i].index];
        rows.write(values, row, sorted);
        const WorkBuffer<int64_t> places(k);
        for (int64_t i = 0; i < k; ++i) places.data()[i] = items[i].index;
        rows.write(indices, row, places.data());
    });
}

}  // namespace

// x [.., D, ..] -> values [.., K, ..], indices [.., K, ..]: the first K <= D of each row in sorted order;
// equal elements keep their order, NaN counts as the largest
void sort(const OpCall& call, const SortParams& params) {
    expect_operands(call, 1, 2);
    const TensorView& x = call.inputs[0];
    expect_same_shape(call.outputs[0], call.outputs[1]);
    if (x.rank != call.outputs[0].rank || params.axis < 0 || params.axis >= x.rank ||
        call.outputs[0].dtype != x.dtype || call.outputs[0].shape[params.axis] > x.shape[params.axis]) {
        fail("needs outputs of x's rank with at most as many elements along the axis");
    }
    with_compute_type(x.dtype, [&](auto type) { run_sort<decltype(type)>(call, params); });
}

}  // namespace nativegrad::cpu
