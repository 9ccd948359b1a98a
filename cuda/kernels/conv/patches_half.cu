#include "kernels/conv/patch_kernels.h"

namespace nativegrad::cuda {

template void launch_patches<Float16>(const PatchTiles&, const PatchProduct&, int64_t, Stream);
template void launch_patch_gradient<Float16>(const PatchGradient&, const Blocks&, Stream);

}  // namespace nativegrad::cuda
