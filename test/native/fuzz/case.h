// One case: operands, the call, and what must come out. Each family draws its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "operand.h"
#include "reached.h"

namespace nativegrad::fuzz {

// What an element must be: within `error` of `value`. A NaN must be a NaN, and an infinity that infinity.
struct Expected {
    double value, error;
};

struct Check {
    const Operand* output;
    std::string name;
    std::vector<Expected> expected;  // in logical order; empty: nothing is said of it
    bool any_special = false;        // where the result is not finite, any NaN or infinity will do
};

struct Case {
    std::string text;  // the op, shapes and settings
    OpCode op;
    std::vector<Operand> inputs, outputs;
    std::function<void(const OpCall&)> call;                // runs the op with these views
    std::function<std::vector<Check>(const Case&)> checks;  // before the first run
    std::vector<Way> ways;                                  // that the op takes, on each instruction set
};

struct Family {
    const char* name;
    Case (*draw)(Workbench& bench);
    double share;  // of the cases
    double large;  // share of its cases that are so large that threads divide them
};

// Sets a case's call to one with these parameters.
template <class Params>
void call_with(Case& made, OpCode op, const Params& params) {
    made.op = op;
    made.call = [op, params](const OpCall& operands) {
        OpCall call = operands;
        call.params = &params;
        run_op(*device_at(0).backend, op, call);
    };
}

// A sum's value with the sum of its terms' magnitudes.
struct Sum {
    double value = 0, magnitude = 0;
    int64_t terms = 0;
    void add(double term) {
        value += term;
        magnitude += term < 0 ? -term : term;
        ++terms;
    }
    // Rounded sums of rounded products stay within this; the result is rounded once more to `out`.
    Expected within(DType compute, DType out) const {
        const double u = unit_roundoff(compute), n = static_cast<double>(terms);
        const double rounding = unit_roundoff(out) * (value < 0 ? -value : value);
        return {value, 1.1 * ((n + 2) * u * magnitude + rounding) + (n + 2) * tiny(compute) + tiny(out)};
    }
};

inline DType compute_of(DType dtype) { return dtype == DType::float64 ? dtype : DType::float32; }

extern const std::vector<Family> families;
Case draw_product(Workbench& bench);
Case draw_linear_fused(Workbench& bench);
Case draw_convolution(Workbench& bench);
Case draw_pool(Workbench& bench);
Case draw_batch_norm(Workbench& bench);
Case draw_layer_norm(Workbench& bench);
Case draw_softmax(Workbench& bench);
Case draw_cross_entropy(Workbench& bench);
Case draw_label_mean(Workbench& bench);
Case draw_reduction(Workbench& bench);
Case draw_elementwise(Workbench& bench);
Case draw_chain(Workbench& bench);
Case draw_copy(Workbench& bench);
Case draw_move(Workbench& bench);
Case draw_batch(Workbench& bench);
Case draw_optimizer(Workbench& bench);
Case draw_loss_scaling(Workbench& bench);

}  // namespace nativegrad::fuzz
