// Who touched which bytes of shared memory, and what orders it. A barrier of the block orders everything
// before it, a barrier of a warp what its lanes did; two accesses of different lanes with neither between are
// a race when one of them writes (two atomic ones are not).
#pragma once

#include <cstddef>
#include <cstdint>

namespace nativegrad::cuda::sim {

enum class Access : uint8_t { read, write, atomic };

void shadow_begin_block(size_t shared_bytes, int lanes);
// `code` is an address in the kernel's code, for the message.
void shadow_access(size_t offset, size_t bytes, Access access, const void* code);
void shadow_block_barrier();
void shadow_warp_barrier(int warp, uint32_t mask);
// The bytes that cp.async will write: nobody may touch them until async_arrived.
void shadow_async_started(size_t offset, size_t bytes, const void* code);
void shadow_async_arrived(size_t offset, size_t bytes);

}  // namespace nativegrad::cuda::sim
