// What the checks of the norms share: means over channels or rows, and gradients through them.
#pragma once

#include "case.h"

namespace nativegrad::fuzz {

// Which elements share a mean (a channel, or a row), and which a weight.
struct Grouping {
    int64_t groups, vectors;
    std::function<size_t(size_t)> group_of, vector_of;
};

struct Moments {
    double mean = 0, variance = 0, mean_error = 0, inverse = 0, inverse_error = 0;  // inverse_error: relative
};

constexpr double norm_epsilon = 1e-5;

// u: unit roundoff of what the sums are computed in
std::vector<Moments> moments_of(const std::vector<double>& x, const Grouping& grouping, double u);

// A weight or bias: one value for each vector_of, or `otherwise` where the operand is not there.
struct NormVector {
    const Operand* operand;
    double otherwise;
    double operator[](size_t i) const { return operand != nullptr ? operand->values[i] : otherwise; }
};

// (x - mean) inverse weight + bias, rounded to `out`
std::vector<Expected> normalized(const std::vector<double>& x, const Grouping& grouping,
                                 const std::vector<Moments>& moments, const NormVector& weight,
                                 const NormVector& bias, DType out);

// Checks of the outputs `first` (mean) and `first` + 1 (1 / standard deviation).
std::vector<Check> check_moments(const Case& made, size_t first, const std::vector<Moments>& moments);

struct NormGradient {
    size_t x, statistics;  // inputs; mean, 1 / standard deviation (, weight) follow each other
    bool by_row;           // the weight is inside the means
    bool training;         // the statistics depend on x
};

// dx (, dweight, dbias) of dy, which may be masked
std::vector<Check> check_gradients(const Case& made, const std::vector<double>& dy, const Grouping& grouping,
                                   const NormGradient& gradient);

}  // namespace nativegrad::fuzz
