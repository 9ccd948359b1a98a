// Kernels with one planted fault each: the simulator must find it in every order, and say where.
#include <atomic>
#include <thread>

#include "device/device.h"
#include "sim/control.h"
#include "sim/test/check.h"

namespace nativegrad::cuda::test {

namespace {

// x [256] -> out [256], reversed through shared memory; no barrier between the halves
__global__ void reverse_without_barrier(const float* x, float* out) {
    SharedArena arena;
    float* place = arena.take<float>(256);
    const int i = thread_index();
    place[i] = x[i];
    out[i] = place[255 - i];
}

// x [256] -> out [256], reversed through shared memory
__global__ void reverse_with_barrier(const float* x, float* out) {
    SharedArena arena;
    float* place = arena.take<float>(256);
    const int i = thread_index();
    place[i] = x[i];
    block_barrier();
    out[i] = place[255 - i];
}

// x [n] -> y [n]; the last lane goes one too far
__global__ void copy_one_too_many(const float* x, float* y, int n) {
    const int i = static_cast<int>(grid_thread_index());
    if (i <= n) y[i] = x[i < n ? i : 0];
}

// x [n] -> y [n]; reads before the start
__global__ void read_before_start(const float* x, float* y, int n) {
    const int i = static_cast<int>(grid_thread_index());
    if (i < n) y[i] = x[i - 1];
}

// out [1]: every lane writes the same shared word
__global__ void write_same_word(int* out) {
    SharedArena arena;
    int* word = arena.take<int>(1);
    word[0] = thread_index();
    block_barrier();
    if (thread_index() == 0) out[0] = word[0];
}

// x [64] -> out [64]: the neighbour of the other warp is read behind a barrier of the warp only
__global__ void read_other_warp(const float* x, float* out) {
    SharedArena arena;
    float* place = arena.take<float>(64);
    place[thread_index()] = x[thread_index()];
    warp_barrier();
    out[thread_index()] = place[thread_index() ^ 32];
}

// x [32] -> out [32]: shuffles order nothing, so the second read races with the write
__global__ void rely_on_shuffle(const float* x, float* out) {
    SharedArena arena;
    float* place = arena.take<float>(32);
    place[lane_index()] = x[lane_index()];
    const float first = shuffle(x[lane_index()], 0);
    out[lane_index()] = place[lane_index() ^ 1] + first;
}

// bytes [64] of shared memory: two lanes share a byte
__global__ void write_overlapping_bytes(uint8_t* out) {
    SharedArena arena;
    uint8_t* bytes = arena.take<uint8_t>(64);
    bytes[thread_index() / 2 + thread_index() % 2] = 1;
    block_barrier();
    out[thread_index()] = bytes[thread_index()];
}

// x [32] -> out [32]: the upper half of the warp does not come
__global__ void shuffle_in_half_a_warp(const float* x, float* out) {
    float value = x[lane_index()];
    if (lane_index() < 16) value += shuffle_xor(value, 1);
    out[lane_index()] = value;
}

// x [32] -> out [32]: two halves with one mask at two places
__global__ void shuffle_at_two_places(const float* x, float* out) {
    float value = x[lane_index()];
    if (lane_index() < 16) {
        value += shuffle_xor(value, 1);
    } else {
        value += shuffle_xor(value, 2);
    }
    out[lane_index()] = value;
}

// x [32] -> out [32]: the mask does not name the lanes that call
__global__ void shuffle_with_wrong_mask(const float* x, float* out) {
    out[lane_index()] = shuffle(x[lane_index()], 0, 0x0000ffffu);
}

// x [32] -> out [32]: half of the lanes meet and read from the other half
__global__ void shuffle_from_absent_lane(const float* x, float* out) {
    float value = x[lane_index()];
    if (lane_index() < 16) value = shuffle(value, 20, 0x0000ffffu);
    out[lane_index()] = value;
}

// x [n] -> out [n]: lanes beyond n leave before the barrier
__global__ void exit_before_barrier(const float* x, float* out, int n) {
    SharedArena arena;
    float* place = arena.take<float>(64);
    const int i = thread_index();
    if (i >= n) return;
    place[i] = x[i];
    block_barrier();
    out[i] = place[n - 1 - i];
}

// out [64]: the two warps wait at different barriers
__global__ void wait_at_two_barriers(float* out) {
    if (warp_index() == 0) {
        block_barrier();
    } else {
        block_barrier();
    }
    out[thread_index()] = 1;
}

// out [32]: nobody wrote what is read
__global__ void read_unwritten(float* out) {
    SharedArena arena;
    float* place = arena.take<float>(64);
    place[lane_index()] = 1;
    block_barrier();
    out[lane_index()] = place[lane_index() + 1];
}

// out [32]: one element past the arena
__global__ void write_past_arena(float* out) {
    SharedArena arena;
    float* place = arena.take<float>(32);
    place[lane_index() + 1] = 1;
    out[lane_index()] = 1;
}

// out [32]: more than the launch gave
__global__ void take_too_much(float* out) {
    SharedArena arena;
    out[lane_index()] = arena.take<float>(64) != nullptr;
}

// out [64]: lanes of the two warps take different parts
__global__ void take_differently(float* out) {
    SharedArena arena;
    float* place = arena.take<float>(warp_index() == 0 ? 32 : 64);
    out[thread_index()] = place != nullptr;
}

// x [128] -> out [128]: reads what cp.async still writes
__global__ void no_wait_for_copy(const float* x, float* out) {
    SharedArena arena;
    float* place = arena.take<float>(128);
    async_copy<16>(place + 4 * lane_index(), x + 4 * lane_index());
    async_copy_commit();
    out[lane_index()] = place[4 * lane_index()];
}

// x [128] -> out [32]: waits for its own copies, but not for those of the other lanes
__global__ void no_barrier_after_copy(const float* x, float* out) {
    SharedArena arena;
    float* place = arena.take<float>(128);
    async_copy<16>(place + 4 * lane_index(), x + 4 * lane_index());
    async_copy_commit();
    async_copy_wait<0>();
    out[lane_index()] = place[4 * (31 - lane_index())];
}

// bytes [16]: a float at an odd address
__global__ void misaligned_store(unsigned char* bytes) { *reinterpret_cast<float*>(bytes + 2) = 1; }

// out [32]: an atomic and a plain write to one word
__global__ void plain_write_beside_atomic(int* out) {
    SharedArena arena;
    int* word = arena.take<int>(1);
    if (thread_index() == 0) word[0] = 0;
    block_barrier();
    if (thread_index() == 5) {
        word[0] = 7;
    } else {
        atomic_add(&word[0], 1);
    }
    out[thread_index()] = 1;
}

struct Arrays {
    Buffer<float> x{std::vector<float>(256, 1.0f)}, y{256};
};

}  // namespace

NATIVEGRAD_ACCESS_TEST(finds_missing_barrier) {
    Arrays a;
    expect_error(
        [&] {
            launch<reverse_without_barrier>({3, 256, 1024}, {}, a.x.data(), a.y.data());
        },
        {"[reverse_without_barrier]", "block (", "lane ", "faults.cu:"});
}
NATIVEGRAD_ACCESS_TEST(finds_index_past_end) {
    Buffer<float> x(std::vector<float>(100, 1.0f)), y(100);
    expect_error(
        [&] {
            launch<copy_one_too_many>({1, 128}, {}, x.data(), y.data(), 100);
        },
        {"[copy_one_too_many]", "write of 4 bytes", "0 bytes past the end of the allocation of 400 bytes",
         "lane 100"});
}
NATIVEGRAD_ACCESS_TEST(finds_index_before_start) {
    Arrays a;
    expect_error(
        [&] {
            launch<read_before_start>({1, 64}, {}, a.x.data(), a.y.data(), 64);
        },
        {"[read_before_start]", "read of 4 bytes", "4 bytes before the allocation", "lane 0"});
}
NATIVEGRAD_ACCESS_TEST(finds_use_after_release) {
    Buffer<float> y(64);
    float* x = static_cast<float*>(allocate(256));
    release(x);
    expect_error([&] { launch<read_before_start>({1, 64}, {}, x + 1, y.data(), 63); }, {"out of bounds"});
}
NATIVEGRAD_ACCESS_TEST(finds_part_not_in_use) {
    Buffer<float> x(std::vector<float>(256, 1.0f)), y(256);
    note_in_use(x.data(), 40, 1024);
    expect_error([&] { launch<copy_one_too_many>({1, 64}, {}, x.data(), y.data(), 20); }, {"not in use"});
}
NATIVEGRAD_ACCESS_TEST(finds_write_write_race) {
    Buffer<int> out(1);
    expect_error(
        [&] {
            launch<write_same_word>({1, 64, 16}, {}, out.data());
        },
        {"[write_same_word]", "race on shared memory at byte 0", "written by lane", "faults.cu:"});
}
NATIVEGRAD_ACCESS_TEST(finds_race_between_warps) {
    Arrays a;
    expect_error(
        [&] {
            launch<read_other_warp>({1, 64, 256}, {}, a.x.data(), a.y.data());
        },
        {"[read_other_warp]"});
}
NATIVEGRAD_ACCESS_TEST(finds_reliance_on_shuffle) {
    Arrays a;
    expect_error(
        [&] {
            launch<rely_on_shuffle>({1, 32, 128}, {}, a.x.data(), a.y.data());
        },
        {"[rely_on_shuffle]", "race"});
}
NATIVEGRAD_ACCESS_TEST(finds_race_on_bytes) {
    Buffer<uint8_t> out(64);
    expect_error([&] { launch<write_overlapping_bytes>({1, 64, 64}, {}, out.data()); }, {"race"});
}
NATIVEGRAD_ACCESS_TEST(finds_race_with_atomic) {
    Buffer<int> out(32);
    expect_error(
        [&] {
            launch<plain_write_beside_atomic>({1, 32, 16}, {}, out.data());
        },
        {"race", "atomically"});
}
NATIVEGRAD_TEST(finds_divergent_shuffle) {
    Arrays a;
    expect_error(
        [&] {
            launch<shuffle_in_half_a_warp>({1, 32}, {}, a.x.data(), a.y.data());
        },
        {"[shuffle_in_half_a_warp]", "deadlock",
         "lanes 0-15 wait at shuffle() at faults.cu:", "lanes 16-31 exited"});
}
NATIVEGRAD_TEST(finds_shuffle_at_two_places) {
    Arrays a;
    expect_error(
        [&] {
            launch<shuffle_at_two_places>({1, 32}, {}, a.x.data(), a.y.data());
        },
        {"deadlock", "lanes 16-31 wait"});
}
NATIVEGRAD_TEST(finds_wrong_mask) {
    Arrays a;
    expect_error(
        [&] {
            launch<shuffle_with_wrong_mask>({1, 32}, {}, a.x.data(), a.y.data());
        },
        {"mask 0x0000ffff, which does not name the lane itself"});
}
NATIVEGRAD_TEST(finds_shuffle_from_absent_lane) {
    Arrays a;
    expect_error(
        [&] {
            launch<shuffle_from_absent_lane>({1, 32}, {}, a.x.data(), a.y.data());
        },
        {"reads from lane 20"});
}
NATIVEGRAD_TEST(finds_exit_before_barrier) {
    Arrays a;
    expect_error(
        [&] {
            launch<exit_before_barrier>({1, 64, 256}, {}, a.x.data(), a.y.data(), 40);
        },
        {"deadlock", "lanes 0-39 wait at block_barrier() at faults.cu:", "lanes 40-63 exited"});
}
NATIVEGRAD_TEST(finds_two_barriers) {
    Arrays a;
    expect_error(
        [&] {
            launch<wait_at_two_barriers>({1, 64}, {}, a.y.data());
        },
        {"different block barriers"});
}
NATIVEGRAD_ACCESS_TEST(finds_unwritten_shared) {
    Arrays a;
    expect_error(
        [&] {
            launch<read_unwritten>({1, 32, 256}, {}, a.y.data());
        },
        {"byte 128", "no lane of the block wrote"});
}
NATIVEGRAD_ACCESS_TEST(finds_write_past_arena) {
    Arrays a;
    expect_error(
        [&] {
            launch<write_past_arena>({1, 32, 128}, {}, a.y.data());
        },
        {"byte 128, past the end", "lane 31"});
}
NATIVEGRAD_TEST(finds_arena_too_small) {
    Arrays a;
    expect_error(
        [&] {
            launch<take_too_much>({1, 32, 128}, {}, a.y.data());
        },
        {"parts of 256 bytes, but the launch gave 128"});
}
NATIVEGRAD_TEST(finds_different_parts) {
    Arrays a;
    expect_error([&] { launch<take_differently>({1, 64, 256}, {}, a.y.data()); }, {"SharedArena: part 0"});
}
NATIVEGRAD_ACCESS_TEST(finds_missing_copy_wait) {
    Arrays a;
    expect_error(
        [&] {
            launch<no_wait_for_copy>({1, 32, 512}, {}, a.x.data(), a.y.data());
        },
        {"async_copy_wait() is missing"});
}
NATIVEGRAD_ACCESS_TEST(finds_missing_barrier_after_copy) {
    Arrays a;
    expect_error(
        [&] {
            launch<no_barrier_after_copy>({1, 32, 512}, {}, a.x.data(), a.y.data());
        },
        {"[no_barrier_after_copy]"});
}
NATIVEGRAD_ACCESS_TEST(finds_misalignment) {
    Buffer<unsigned char> bytes(16);
    expect_error([&] { launch<misaligned_store>({1, 1}, {}, bytes.data()); }, {"not a multiple"});
}
NATIVEGRAD_ACCESS_TEST(finds_host_pointer) {
    Arrays a;
    std::vector<float> host(256, 1.0f);
    expect_error(
        [&] {
            launch<read_before_start>({1, 64}, {}, host.data() + 1, a.y.data(), 64);
        },
        {"neither device nor shared memory"});
}
NATIVEGRAD_ACCESS_TEST(finds_memory_of_other_device) {
    Arrays a;
    DeviceScope other(1);
    Buffer<float> y(64);
    expect_error(
        [&] {
            launch<read_before_start>({1, 64}, {}, a.x.data() + 1, y.data(), 64);
        },
        {"device 0's memory by a kernel on device 1"});
}
// Host code of kernel sources is instrumented as well, and other threads run it while lanes are parked.
NATIVEGRAD_TEST(leaves_other_threads_alone) {
    Buffer<float> x(std::vector<float>(256, 1.0f)), y(256);
    std::atomic<bool> stop{false};
    std::vector<int> numbers(1000);
    std::thread other([&] {
        while (!stop.load()) {
            for (int& number : numbers) ++number;
        }
    });
    for (int i = 0; i < 1000; ++i) launch<reverse_with_barrier>({1, 256, 1024}, {}, x.data(), y.data());
    stop = true;
    other.join();
    expect(y.values()[0] == 1, "value");
}
NATIVEGRAD_TEST(refuses_impossible_grids) {
    Arrays a;
    expect_error(
        [&] {
            launch<misaligned_store>({0, 32}, {}, nullptr);
        },
        {"[misaligned_store]", "at least 1"});
    expect_error([&] { launch<misaligned_store>({1, 2048}, {}, nullptr); }, {"2048 threads"});
    expect_error([&] { launch<misaligned_store>({1, 32, 1 << 20}, {}, nullptr); }, {"shared memory"});
}
// The error stays until the process ends; here the test forgets it.
NATIVEGRAD_TEST(errors_stick) {
    Arrays a;
    expect_error([&] { launch<shuffle_in_half_a_warp>({1, 32}, {}, a.x.data(), a.y.data()); }, {"deadlock"});
    expect_error([&] { a.y.values(); }, {"an earlier kernel failed", "shuffle_in_half_a_warp"});
    expect_error([] { synchronize_device(); }, {"an earlier kernel failed"});
    expect(!sticky_error().empty(), "no sticky error");
    sim::forget_errors();
    a.y.values();
}

}  // namespace nativegrad::cuda::test
