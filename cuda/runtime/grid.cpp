#include "backend/error.h"
#include "device/batched.h"

namespace nativegrad::cuda::detail {

void check_grid(const std::string& kernel, const Grid& grid) {
    const Blocks& blocks = grid.blocks;
    if (blocks.x < 1 || blocks.y < 1 || blocks.z < 1 || blocks.x > INT32_MAX || blocks.y > 65535 ||
        blocks.z > 65535) {
        fail(
            "[%s] grid of %lld x %lld x %lld blocks: each must be at least 1, x below 2^31, y and z below "
            "2^16",
            kernel.c_str(), static_cast<long long>(blocks.x), static_cast<long long>(blocks.y),
            static_cast<long long>(blocks.z));
    }
    if (grid.threads < 1 || grid.threads > 1024) {
        fail("[%s] %d threads in a block: 1 to 1024 are possible", kernel.c_str(), grid.threads);
    }
    if (grid.shared_bytes > 227 * 1024) {
        fail("[%s] %zu bytes of shared memory: a block has at most %d", kernel.c_str(), grid.shared_bytes,
             227 * 1024);
    }
}

void fail_threads(const std::string& kernel, int threads, int most) {
    fail("[%s] %d threads in a block: launch_batched was told of %d at most", kernel.c_str(), threads, most);
}

}  // namespace nativegrad::cuda::detail
