// Kernels that are right, over every order of lanes and blocks.
#include "device/device.h"
#include "sim/test/check.h"

namespace nativegrad::cuda::test {

namespace {

// x [n] -> out [blocks]: the sum of each block's stretch
__global__ void sum_stretches(const float* x, float* out, int64_t n) {
    SharedArena arena;
    float* parts = arena.take<float>(block_reduce_parts);
    const int64_t i = grid_thread_index();
    const float sum = block_reduce(i < n ? x[i] : 0.0f, AddOf(), 0.0f, parts);
    if (thread_index() == 0) out[block_index()] = sum;
}

// x [rows, columns] -> out [columns, rows], tiles of 32 x 32, 256 threads
__global__ void transpose_tiles(const float* x, float* out, int rows, int columns) {
    SharedArena arena;
    float* tile = arena.take<float>(32 * 33);
    const int column = block_index() * 32 + lane_index();
    for (int row = warp_index(); row < 32; row += warp_count()) {
        const int from = block_index_y() * 32 + row;
        if (from < rows && column < columns)
            tile[row * 33 + lane_index()] = x[int64_t{from} * columns + column];
    }
    block_barrier();
    const int to_column = block_index_y() * 32 + lane_index();
    for (int row = warp_index(); row < 32; row += warp_count()) {
        const int to = block_index() * 32 + row;
        if (to < columns && to_column < rows)
            out[int64_t{to} * rows + to_column] = tile[lane_index() * 33 + row];
    }
}

// x [n] -> y [n] = 2 x, no meeting of any kind
__global__ void double_each(const float* x, float* y, int64_t n) {
    for (int64_t i = grid_thread_index(); i < n; i += grid_thread_count()) y[i] = 2 * x[i];
}

// x [32 * blocks] -> out [32 * blocks]: running sums within each warp, by shuffles of every kind
__global__ void scan_warps(const int64_t* x, int64_t* out) {
    int64_t sum = x[grid_thread_index()];
    for (int step = 1; step < 32; step *= 2) {
        const int64_t below = shuffle_up(sum, step);
        if (lane_index() >= step) sum += below;
    }
    const int64_t total = shuffle(sum, 31);
    const int64_t next = shuffle_down(sum, 1);
    const uint32_t odd = ballot(x[grid_thread_index()] % 2 != 0);
    out[grid_thread_index()] =
        sum + 1000 * total + 1000000 * (lane_index() < 31 ? next : 0) + count_bits(odd);
}

// Lanes of the two halves of a warp meet apart, through shared memory.
__global__ void swap_in_halves(const int* x, int* out) {
    SharedArena arena;
    int* place = arena.take<int>(32);
    const int lane = lane_index();
    const uint32_t mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    place[lane] = x[lane];
    if (lane < 16) {
        warp_barrier(mask);
    } else {
        warp_barrier(mask);
    }
    out[lane] = place[lane ^ 15];
}

// x [n] -> counts [8]: how many of each, atomics on shared and on global memory
__global__ void count_values(const int* x, int* counts, int n) {
    SharedArena arena;
    int* here = arena.take<int>(8);
    if (thread_index() < 8) here[thread_index()] = 0;
    block_barrier();
    const int64_t i = grid_thread_index();
    if (i < n) atomic_add(&here[x[i]], 1);
    block_barrier();
    if (thread_index() < 8) atomic_add(&counts[thread_index()], here[thread_index()]);
}

std::vector<float> small_numbers(size_t count) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(static_cast<int>(i * 7 % 31) - 15) / 8;
    return values;
}

}  // namespace

NATIVEGRAD_TEST(block_reduction) {
    const int blocks = 7, threads = 256;
    const size_t n = 7 * 256 - 100;
    const std::vector<float> x = small_numbers(n);
    Buffer<float> device_x(x), out(blocks);
    launch<sum_stretches>({blocks, threads, shared_bytes<float>(block_reduce_parts)}, {}, device_x.data(),
                          out.data(), n);
    for (size_t b = 0; b < blocks; ++b) {
        float expected = 0;
        for (size_t i = b * threads; i < n && i < (b + 1) * threads; ++i) expected += x[i];
        expect(out.values()[b] == expected, "block " + std::to_string(b));
    }
}

NATIVEGRAD_TEST(transpose_through_shared) {
    const int rows = 70, columns = 45;
    const std::vector<float> x = small_numbers(rows * columns);
    Buffer<float> device_x(x), out(x.size());
    launch<transpose_tiles>({{2, 3}, 256, shared_bytes<float>(32 * 33)}, {}, device_x.data(), out.data(),
                            rows, columns);
    const std::vector<float> got = out.values();
    for (int i = 0; i < rows * columns; ++i) {
        expect(got[static_cast<size_t>(i % columns * rows + i / columns)] == x[static_cast<size_t>(i)],
               "element");
    }
}

NATIVEGRAD_TEST(grid_stride_loop) {
    const std::vector<float> x = small_numbers(1000);
    Buffer<float> device_x(x), y(x.size());
    launch<double_each>({3, 96}, {}, device_x.data(), y.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) expect(y.values()[i] == 2 * x[i], "element " + std::to_string(i));
}

NATIVEGRAD_TEST(shuffles_and_votes) {
    std::vector<int64_t> x(64);
    for (size_t i = 0; i < 64; ++i) x[i] = static_cast<int64_t>(i % 5);
    Buffer<int64_t> device_x(x), out(64);
    launch<scan_warps>({1, 64}, {}, device_x.data(), out.data());
    const std::vector<int64_t> got = out.values();
    for (size_t warp = 0; warp < 2; ++warp) {
        int64_t total = 0, odd = 0, sum = 0;
        for (size_t i = 0; i < 32; ++i) total += x[warp * 32 + i], odd += x[warp * 32 + i] % 2;
        for (size_t i = 0; i < 32; ++i) {
            sum += x[warp * 32 + i];
            const int64_t next = i < 31 ? sum + x[warp * 32 + i + 1] : 0;
            expect(got[warp * 32 + i] == sum + 1000 * total + 1000000 * next + odd,
                   "lane " + std::to_string(i));
        }
    }
}

NATIVEGRAD_TEST(halves_of_a_warp_meet_apart) {
    std::vector<int> x(32);
    for (int i = 0; i < 32; ++i) x[static_cast<size_t>(i)] = 3 * i;
    Buffer<int> device_x(x), out(32);
    launch<swap_in_halves>({1, 32, shared_bytes<int>(32)}, {}, device_x.data(), out.data());
    for (int i = 0; i < 32; ++i) expect(out.values()[static_cast<size_t>(i)] == 3 * (i ^ 15), "lane");
}

NATIVEGRAD_TEST(atomics_count) {
    std::vector<int> x(500);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i * i % 8);
    Buffer<int> device_x(x), counts(std::vector<int>(8, 0));
    launch<count_values>({4, 128, shared_bytes<int>(8)}, {}, device_x.data(), counts.data(), 500);
    std::vector<int> expected(8);
    for (int value : x) ++expected[static_cast<size_t>(value)];
    expect(counts.values() == expected, "counts");
}

// 2,000 blocks of 256 lanes: what `--time` measures.
NATIVEGRAD_TEST(large_reduction) {
    const int64_t n = 2000 * 256;
    Buffer<float> x(std::vector<float>(static_cast<size_t>(n), 1.0f)), out(2000);
    launch<sum_stretches>({2000, 256, shared_bytes<float>(block_reduce_parts)}, {}, x.data(), out.data(), n);
    for (float sum : out.values()) expect(sum == 256.0f, "sum");
}

}  // namespace nativegrad::cuda::test
