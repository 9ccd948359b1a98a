// A tensor in guarded memory, and its elements in float64 in logical order.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "guarded_memory.h"
#include "ops/op_params.h"
#include "random.h"
#include "tensor/tensor_view.h"

namespace nativegrad::fuzz {

using Shape = std::vector<int64_t>;

int64_t size_of(const Shape& shape);
std::string text_of(const Shape& shape);

enum class Layout {
    row_major,
    channels_last,  // axis 1 side by side
    permuted,       // dense, in any order of the axes
    gapped,         // with elements in between that belong to nobody
    any             // one of these
};

double read_element(DType dtype, const void* from);
void write_element(DType dtype, void* to, double value);
// The value as that dtype keeps it.
double rounded(DType dtype, double value);
// Half of the distance from 1 to the next number.
double unit_roundoff(DType dtype);
// The smallest distance between numbers.
double tiny(DType dtype);

struct Operand {
    TensorView view;
    std::vector<double> values;  // inputs: what the memory holds
    GuardedMemory* memory;
    std::vector<char> bytes;  // of the whole extent when it was made
    bool is_output;

    char* at(int64_t logical_index) const;
    double read(int64_t logical_index) const;
    std::vector<double> read_all() const;
    size_t extent() const { return bytes.size(); }
    // Makes the memory what it was when it was made.
    void restore() const;
    // What is wrong with the memory after a call; empty where nothing is.
    std::string damage(const std::string& name) const;
};

// Gives operands their places.
class Workbench {
  public:
    Workbench(Random& random, bool large) : random_(random), large_(large) {}

    Operand input(const Shape& shape, DType dtype, Layout layout, const std::function<double()>& draw);
    Operand input(const Shape& shape, DType dtype, Layout layout, const std::vector<double>& values);
    // Filled with NaN (integers: with all bits).
    Operand output(const Shape& shape, DType dtype, Layout layout = Layout::row_major);
    // What is there already, to be written over.
    Operand in_place(const Shape& shape, DType dtype, Layout layout, const std::function<double()>& draw);
    // Puts NaN or an infinity in a few places.
    void spoil(Operand& operand);
    // A parameter that lives as long as the case.
    ScalarSlot slot(double value) {
        slots_.push_back(value);
        return {&slots_.back()};
    }

    Random& random() { return random_; }
    // Whether the case should be large.
    bool large() const { return large_; }

  private:
    Operand place(const Shape& shape, DType dtype, Layout layout);
    void set_strides(TensorView& view, Layout layout);
    GuardedMemory& next_memory();

    Random& random_;
    bool large_;
    size_t used_ = 0;
    std::deque<double> slots_;
};

}  // namespace nativegrad::fuzz
