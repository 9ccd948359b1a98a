// Hands over what kernels reported, between the work before and the work after.
#include "backend/reads.h"
#include "device/device.h"

namespace nativegrad::cuda {

namespace {

// fault [1] -> taken [1], fault = nothing
__global__ void move_fault(Fault* fault, Fault* taken) {
    *taken = *fault;
    fault->op = 0;
}

}  // namespace

void take_fault(Fault* fault, Fault* taken, Stream stream) {
    launch<move_fault>(Grid{1, 1, 0}, stream, fault, taken);
}

}  // namespace nativegrad::cuda
