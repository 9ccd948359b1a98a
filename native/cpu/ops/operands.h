// What the ops of the CPU share beyond ops/operands.h.
#pragma once

#include "ops/operands.h"

namespace nativegrad::cpu {

inline char* element(const TensorView& view, int64_t offset) {
    return static_cast<char*>(view.data) + offset * static_cast<int64_t>(item_size(view.dtype));
}

}  // namespace nativegrad::cpu
