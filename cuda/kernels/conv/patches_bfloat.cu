#include "kernels/conv/patch_kernels.h"

namespace nativegrad::cuda {

template void launch_patches<BFloat16>(const PatchTiles&, const PatchProduct&, int64_t, Stream);
template void launch_patch_gradient<BFloat16>(const PatchGradient&, const Blocks&, Stream);

}  // namespace nativegrad::cuda
