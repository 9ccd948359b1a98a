// All that a kernel may use; cuda/README.md says how.
#pragma once

#include "device/async_copy.h"
#include "device/atomics.h"
#include "device/batched.h"
#include "device/half.h"
#include "device/index.h"
#include "device/launch.h"
#include "device/maths.h"
#include "device/memory.h"
#include "device/reduce.h"
#include "device/shared.h"
#include "device/tensor_core.h"
#include "device/warp.h"
