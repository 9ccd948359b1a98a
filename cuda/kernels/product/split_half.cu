#include "kernels/product/split_launch.h"

namespace nativegrad::cuda {

template void multiply_split<Float16>(int, const StridedOperand&, const StridedOperand&, const ProductShape&,
                                      const StridedAxes<3>&, const Finish&, const Finish*, Stream);

}  // namespace nativegrad::cuda
