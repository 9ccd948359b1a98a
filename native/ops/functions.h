// Enumerations of the function tables, and their names for lib/native.
#pragma once

#include <cstdint>

namespace nativegrad {

enum class UnaryFunction : int32_t {
#define UNARY(name, formula, integer) name,
#include "ops/elementwise_table.def"
#undef UNARY
    count
};

enum class BinaryFunction : int32_t {
#define BINARY(name, formula, integer) name,
#include "ops/elementwise_table.def"
#undef BINARY
    count
};

enum class CompareFunction : int32_t {
#define COMPARE(name, formula) name,
#include "ops/elementwise_table.def"
#undef COMPARE
    count
};

enum class ReduceFunction : int32_t {
    sum,
    mean,
    prod,
    max,
    min,
    var,
    std,
    logsumexp,
    any,
    all,
    norm1,
    norm2,
    norm_p,
    abs_max,
    abs_min,
    count_nonzero,
    count
};

enum class ArgReduceFunction : int32_t { argmax, argmin, count };

// uniform: [low, high); normal: mean low, standard deviation high; integer: [low, high); bernoulli: 1 with
// probability low
enum class Distribution : int32_t { uniform, normal, integer, bernoulli, count };

}  // namespace nativegrad
