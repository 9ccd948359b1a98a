#include "kernels/conv/image_operand.h"
#include "kernels/product/tile_launch.h"

namespace nativegrad::cuda {

template void multiply_in_tiles<float>(const ImageOperand&, const StridedOperand&, int64_t, int64_t, int64_t,
                                       const StridedAxes<3>&, const Finish&, Queue&);

}  // namespace nativegrad::cuda
