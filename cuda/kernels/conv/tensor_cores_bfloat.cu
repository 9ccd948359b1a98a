#include "kernels/conv/image_operand.h"
#include "kernels/product/half_launch.h"

namespace nativegrad::cuda {

template void multiply_halves<BFloat16>(const ImageOperand&, const StridedOperand&, int64_t, int64_t, int64_t,
                                        const StridedAxes<3>&, const Finish&, Queue&);
template void multiply_halves<BFloat16>(const StridedOperand&, const ImageOperand&, int64_t, int64_t, int64_t,
                                        const StridedAxes<3>&, const Finish&, Queue&);

}  // namespace nativegrad::cuda
