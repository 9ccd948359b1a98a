// The backend contract: one function per row of op_table.def behind a plain C table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/op_params.h"
#include "tensor/tensor_view.h"

namespace nativegrad {

enum class OpCode : int32_t {
#define X(name, Params, layout) name,
#include "ops/op_table.def"
#undef X
    count
};

constexpr int32_t op_count = static_cast<int32_t>(OpCode::count);

const char* op_name(OpCode op);

// One execution of one op. Outputs are allocated; inputs may be views. models = 1 except inside a program.
struct OpCall {
    int32_t models;
    int32_t input_count;
    int32_t output_count;
    const TensorView* inputs;
    const TensorView* outputs;
    const void* params;
};

enum class Status : int32_t { ok, invalid_argument, out_of_memory, internal };

struct ErrorMessage {
    char text[1024];
};

using OpFunction = int32_t (*)(const OpCall*, ErrorMessage*);

struct BackendTable {
    uint64_t abi_hash;
    const char* name;
    void* (*allocate)(size_t bytes);  // null when there is no memory left
    void (*release)(void* data, size_t bytes);
    int32_t (*copy_from_host)(void* device, const void* host, size_t bytes);
    int32_t (*copy_to_host)(void* host, const void* device, size_t bytes);
    OpFunction ops[op_count];
};

// Changes with every name, order, field or layout in the op table.
uint64_t backend_abi_hash();

// Null when no backend of that index is loaded. 0 is the CPU.
const BackendTable* backend_at(int32_t device);

// Runs the op for every model of the call; throws Error with the op's name in front.
void run_op(const BackendTable& backend, OpCode op, const OpCall& call);

}  // namespace nativegrad
