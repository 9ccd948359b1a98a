#pragma once

#include "backend/marks.h"

namespace nativegrad::cuda {

const MarkTable& mark_table();

}  // namespace nativegrad::cuda
