#pragma once

#include "backend/backend.h"

namespace nativegrad {

const BackendTable& cpu_backend();

namespace cpu {
// One function per op; each throws Error. Expanded from the table, so a missing one does not link.
#define X(name, Params, layout) void name(const OpCall& call, const Params& params);
#include "ops/op_table.def"
#undef X
}  // namespace cpu

}  // namespace nativegrad
