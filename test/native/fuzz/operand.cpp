#include "operand.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace nativegrad::fuzz {

int64_t size_of(const Shape& shape) {
    int64_t size = 1;
    for (const int64_t length : shape) size *= length;
    return size;
}

std::string text_of(const Shape& shape) {
    std::string text = "[";
    for (const int64_t length : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(length);
    return text + "]";
}

namespace {

template <class T>
T read_as(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
void write_as(void* to, T value) {
    std::memcpy(to, &value, sizeof value);
}

int64_t offset_of(const TensorView& view, int64_t index) {
    int64_t offset = 0;
    for (int32_t axis = view.rank - 1; axis >= 0; --axis) {
        offset += index % view.shape[axis] * view.strides[axis];
        index /= view.shape[axis];
    }
    return offset;
}

}  // namespace

double read_element(DType dtype, const void* from) {
    switch (dtype) {
        case DType::float32:
            return static_cast<double>(read_as<float>(from));
        case DType::float64:
            return read_as<double>(from);
        case DType::float16:
            return static_cast<double>(to_float(read_as<Float16>(from)));
        case DType::bfloat16:
            return static_cast<double>(to_float(read_as<BFloat16>(from)));
        case DType::int64:
            return static_cast<double>(read_as<int64_t>(from));
        case DType::int32:
            return read_as<int32_t>(from);
        case DType::uint8:
        case DType::boolean:
            return read_as<uint8_t>(from);
    }
    return 0;
}

void write_element(DType dtype, void* to, double value) {
    switch (dtype) {
        case DType::float32:
            return write_as(to, static_cast<float>(value));
        case DType::float64:
            return write_as(to, value);
        case DType::float16:
            return write_as(to, to_float16(static_cast<float>(value)));
        case DType::bfloat16:
            return write_as(to, to_bfloat16(static_cast<float>(value)));
        case DType::int64:
            return write_as(to, static_cast<int64_t>(value));
        case DType::int32:
            return write_as(to, static_cast<int32_t>(value));
        case DType::uint8:
        case DType::boolean:
            return write_as(to, static_cast<uint8_t>(value));
    }
}

double rounded(DType dtype, double value) {
    char bytes[8];
    write_element(dtype, bytes, value);
    return read_element(dtype, bytes);
}

double unit_roundoff(DType dtype) {
    switch (dtype) {
        case DType::float32:
            return 0x1p-24;
        case DType::float64:
            return 0x1p-53;
        case DType::float16:
            return 0x1p-11;
        case DType::bfloat16:
            return 0x1p-8;
        default:
            return 0;
    }
}

double tiny(DType dtype) {
    if (dtype == DType::float16) return 0x1p-24;
    return dtype == DType::float64 ? 0x1p-1074 : 0x1p-126;
}

char* Operand::at(int64_t logical_index) const {
    return static_cast<char*>(view.data) +
           offset_of(view, logical_index) * static_cast<int64_t>(item_size(view.dtype));
}

double Operand::read(int64_t logical_index) const { return read_element(view.dtype, at(logical_index)); }

std::vector<double> Operand::read_all() const {
    std::vector<double> all(static_cast<size_t>(element_count(view)));
    for (size_t i = 0; i < all.size(); ++i) all[i] = read(static_cast<int64_t>(i));
    return all;
}

void Operand::restore() const {
    if (!bytes.empty()) std::memcpy(view.data, bytes.data(), bytes.size());
}

std::string Operand::damage(const std::string& name) const {
    if (!memory->is_intact()) return name + ": something wrote beside it";
    const char* now = static_cast<const char*>(view.data);
    if (!is_output) {
        return std::equal(bytes.begin(), bytes.end(), now) ? "" : name + ": an input was written";
    }
    // What lies between the elements of an output belongs to others.
    std::vector<bool> own(bytes.size());
    const auto item = static_cast<std::ptrdiff_t>(item_size(view.dtype));
    for (int64_t i = 0; i < element_count(view); ++i) {
        const std::ptrdiff_t first = at(i) - now;
        std::fill(own.begin() + first, own.begin() + first + item, true);
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
        if (!own[i] && bytes[i] != now[i]) return name + ": something wrote between its elements";
    }
    return "";
}

void Workbench::set_strides(TensorView& view, Layout layout) {
    set_row_major_strides(view);
    if (layout == Layout::row_major || view.rank == 0) return;
    if (layout == Layout::channels_last) {
        if (view.rank > 1) set_channels_last_strides(view);
        return;
    }
    int32_t order[max_rank];
    for (int32_t axis = 0; axis < view.rank; ++axis) order[axis] = axis;
    if (layout == Layout::permuted || random_.chance(0.5)) {
        for (int32_t i = view.rank - 1; i > 0; --i) std::swap(order[i], order[random_.integer(0, i)]);
    }
    int64_t stride = layout == Layout::gapped && random_.chance(0.5) ? random_.integer(2, 3) : 1;
    for (int32_t i = view.rank - 1; i >= 0; --i) {
        view.strides[order[i]] = stride;
        stride *= view.shape[order[i]];
        if (layout == Layout::gapped && random_.chance(0.6)) stride += random_.integer(1, 5);
    }
}

GuardedMemory& Workbench::next_memory() {
    static std::vector<std::unique_ptr<GuardedMemory>> memories;
    if (used_ == memories.size()) memories.push_back(std::make_unique<GuardedMemory>(size_t{4} << 20));
    return *memories[used_++];
}

Operand Workbench::place(const Shape& shape, DType dtype, Layout layout) {
    Operand made{};
    TensorView& view = made.view;
    view.dtype = dtype;
    view.rank = static_cast<int32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), view.shape);
    if (layout == Layout::any)
        layout = random_.pick({Layout::row_major, Layout::row_major, Layout::permuted, Layout::gapped});
    set_strides(view, layout);
    const auto last_offset = [&] {
        int64_t last = 0;
        for (int32_t axis = 0; axis < view.rank; ++axis) last += (view.shape[axis] - 1) * view.strides[axis];
        return last;
    };
    // Gaps in every axis of many can make much of little.
    if (last_offset() > int64_t{400000}) set_row_major_strides(view);
    const int64_t last = last_offset();
    const int64_t elements = element_count(view) == 0 ? 0 : last + 1;
    const size_t bytes = static_cast<size_t>(elements) * item_size(dtype);
    made.memory = &next_memory();
    view.data = made.memory->place(bytes, random_.chance(0.7));
    if (view.data == nullptr) throw std::length_error("an operand is too large for the fuzz");
    std::memset(view.data, 0xff, bytes);
    made.bytes.resize(bytes);
    return made;
}

Operand Workbench::input(const Shape& shape, DType dtype, Layout layout,
                         const std::function<double()>& draw) {
    std::vector<double> values(static_cast<size_t>(size_of(shape)));
    for (double& value : values) value = draw();
    return input(shape, dtype, layout, values);
}

Operand Workbench::input(const Shape& shape, DType dtype, Layout layout, const std::vector<double>& values) {
    Operand made = place(shape, dtype, layout);
    for (size_t i = 0; i < values.size(); ++i)
        write_element(dtype, made.at(static_cast<int64_t>(i)), values[i]);
    made.values = made.read_all();
    std::memcpy(made.bytes.data(), made.view.data, made.bytes.size());
    return made;
}

Operand Workbench::output(const Shape& shape, DType dtype, Layout layout) {
    Operand made = place(shape, dtype, layout);
    made.is_output = true;
    std::memcpy(made.bytes.data(), made.view.data, made.bytes.size());
    return made;
}

Operand Workbench::in_place(const Shape& shape, DType dtype, Layout layout,
                            const std::function<double()>& draw) {
    Operand made = input(shape, dtype, layout, draw);
    made.is_output = true;
    return made;
}

void Workbench::spoil(Operand& operand) {
    const int64_t count = element_count(operand.view);
    for (int64_t times = random_.integer(1, 3); count > 0 && times > 0; --times) {
        const int64_t index = random_.integer(0, count - 1);
        write_element(operand.view.dtype, operand.at(index), random_.pick({NAN, INFINITY, -INFINITY, NAN}));
    }
    operand.values = operand.read_all();
    std::memcpy(operand.bytes.data(), operand.view.data, operand.bytes.size());
}

}  // namespace nativegrad::fuzz
