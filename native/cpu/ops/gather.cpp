#include <cstdio>
#include <cstring>
#include <string>

#include "cpu/cpu_backend.h"
#include "cpu/ops/axis_rows.h"

namespace nativegrad::cpu {

namespace {

// Indices of one row, checked; negative ones count from the end where the op allows it.
class RowIndices {
  public:
    RowIndices(const TensorView& index, const AxisRows& rows, int64_t size, bool wrap)
        : index_(index), rows_(rows), size_(size), wrap_(wrap) {}

    void read(int64_t row, int64_t* out) const {
        rows_.read(index_, row, out);
        for (int64_t i = 0; i < rows_.length; ++i) {
            const int64_t value = out[i];
            if (value >= (wrap_ ? -size_ : 0) && value < size_) {
                out[i] = value < 0 ? value + size_ : value;
                continue;
            }
            fail("index %lld at position [%s] is outside [%lld, %lld)", static_cast<long long>(value),
                 position(row, i).c_str(), static_cast<long long>(wrap_ ? -size_ : 0),
                 static_cast<long long>(size_));
        }
    }

  private:
    std::string position(int64_t row, int64_t i) const {
        std::string text;
        for (int32_t axis = rows_.rank - 1; axis >= 0; --axis) {
            int64_t at = i;
            if (axis != rows_.axis) {
                at = row % rows_.sizes[axis];
                row /= rows_.sizes[axis];
            }
            text = std::to_string(at) + (text.empty() ? "" : ", ") + text;
        }
        return text;
    }

    const TensorView& index_;
    const AxisRows& rows_;
    int64_t size_;
    bool wrap_;
};

void expect_fit(const TensorView& index, const TensorView& view, int32_t axis, const char* name) {
    bool fits = index.rank == view.rank && !is_float(index.dtype);
    for (int32_t i = 0; fits && i < index.rank; ++i) fits = i == axis || index.shape[i] <= view.shape[i];
    if (!fits) fail("needs integer indices that are no larger than %s beside the axis", name);
}

template <class Element>
void gather_elements(const OpCall& call, const GatherParams& params) {
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    const AxisRows rows(index, params.axis);
    const RowIndices indices(index, rows, x.shape[params.axis], params.wrap != 0);
    const int64_t from_stride = x.strides[params.axis], to_stride = out.strides[params.axis];
    rows.each<int64_t>(rows.length, [&](int64_t row, int64_t* at) {
        indices.read(row, at);
        const Element* from = static_cast<const Element*>(x.data) + rows.offset(x, row);
        Element* to = static_cast<Element*>(out.data) + rows.offset(out, row);
        for (int64_t i = 0; i < rows.length; ++i) to[i * to_stride] = from[at[i] * from_stride];
    });
}

// Each row of the output belongs to one task and is summed in the order of the index.
template <class T>
void scatter_rows(const OpCall& call, const GatherParams& params) {
    const TensorView &index = call.inputs[1], &source = call.inputs[2], &out = call.outputs[0];
    const AxisRows rows(index, params.axis);
    const int64_t size = out.shape[params.axis];
    const RowIndices indices(index, rows, size, params.wrap != 0);
    rows.each<T>(size + rows.length, [&](int64_t row, T* sums) {
        const WorkBuffer<int64_t> at(rows.length);
        indices.read(row, at.data());
        T* values = sums + size;
        rows.read(out, row, sums);
        load_block(source.dtype, element(source, rows.offset(source, row)), source.strides[params.axis],
                   rows.length, values);
        for (int64_t i = 0; i < rows.length; ++i) sums[at.data()[i]] += values[i];
        rows.write(out, row, sums);
    });
}

}  // namespace

// x [.., D, ..], index [.., n, ..] -> out [.., n, ..]: out[.., i, ..] = x[.., index[.., i, ..], ..]
void gather(const OpCall& call, const GatherParams& params) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    expect_same_shape(index, out);
    expect_fit(index, x, static_cast<int32_t>(params.axis), "x");
    if (x.dtype != out.dtype) fail("writes the dtype of x");
    switch (item_size(x.dtype)) {
        case 1:
            return gather_elements<uint8_t>(call, params);
        case 2:
            return gather_elements<uint16_t>(call, params);
        case 4:
            return gather_elements<uint32_t>(call, params);
        default:
            return gather_elements<uint64_t>(call, params);
    }
}

// x [.., D, ..], index [.., n, ..], source [.., n.., ..] -> out = x, with source[.., i, ..] added at
// index[.., i, ..] along the axis
void scatter_add(const OpCall& call, const GatherParams& params) {
    expect_operands(call, 3, 1);
    const TensorView &index = call.inputs[1], &source = call.inputs[2], &out = call.outputs[0];
    expect_same_shape(call.inputs[0], out);
    expect_fit(index, out, static_cast<int32_t>(params.axis), "x");
    expect_fit(index, source, static_cast<int32_t>(params.axis), "the source");
    if (index.shape[params.axis] > source.shape[params.axis])
        fail("needs as many source elements as indices");
    copy({1, 1, 1, call.inputs, call.outputs, nullptr}, {});
    with_compute_type(out.dtype, [&](auto type) { scatter_rows<decltype(type)>(call, params); });
}

}  // namespace nativegrad::cpu
