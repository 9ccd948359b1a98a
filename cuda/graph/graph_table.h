#pragma once

#include "backend/graphs.h"

namespace nativegrad::cuda {

const GraphTable& graph_table();

}  // namespace nativegrad::cuda
