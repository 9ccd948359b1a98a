// Planted faults of whole blocks: what they do to each other's memory, and lanes without an end.
#include "device/device.h"
#include "sim/control.h"
#include "sim/test/check.h"

namespace nativegrad::cuda::test {

namespace {

// flags [2]: two lanes wait for each other's word, each before it gives its own
__global__ void wait_for_each_other(int* flags) {
    const int other = 1 - thread_index();
    while (atomic_or(flags + other, 0) == 0) {
    }
    atomic_or(flags + thread_index(), 1);
}

// A vote after which all go on voting
__global__ void vote_for_ever(int* out) {
    int rounds = 0;
    while (any(true)) ++rounds;
    out[0] = rounds;
}

// out [1]: every block writes the same word
__global__ void write_word_of_all_blocks(int* out) {
    if (thread_index() == 0) out[0] = block_index();
}

// x [2]: each block writes a word, those of the other one where `swapped` is 1
__global__ void write_own_word(int* x, int swapped) { x[block_index() ^ swapped] = 1; }

// x [blocks + 1]: each block reads the word that the next one writes
__global__ void read_word_of_next_block(int* x) {
    if (thread_index() == 0) x[block_index()] = x[block_index() + 1] + 1;
}

// x [n]: each block adds to a word by atomics, but one writes it
__global__ void add_beside_a_write(int* x) {
    if (thread_index() != 0) return;
    if (block_index() == 2) {
        x[0] = 5;
    } else {
        atomic_add(x, 1);
    }
}

// bytes [blocks], sums [2]: neighbouring bytes of a word, atomics, and words that all read
__global__ void share_without_race(uint8_t* bytes, int* sums) {
    if (thread_index() != 0) return;
    bytes[block_index()] = static_cast<uint8_t>(bytes[block_index()] + sums[1]);
    atomic_add(sums, 1);
}

// parts [blocks], sums [2]: the last block to come adds up what all wrote
__global__ void add_up_in_last_block(int* parts, int* sums) {
    if (thread_index() != 0) return;
    parts[block_index()] = block_index();
    memory_fence();
    if (atomic_add(sums, 1) + 1 < block_count()) return;
    memory_fence();
    int total = 0;
    for (int i = 0; i < block_count(); ++i) total += parts[i];
    sums[1] = total;
}

}  // namespace

NATIVEGRAD_ACCESS_TEST(finds_lanes_that_wait_for_each_other) {
    Buffer<int> flags(std::vector<int>{0, 0});
    sim::setup().patience = 100000;
    expect_error(
        [&] {
            launch<wait_for_each_other>({1, 2}, {}, flags.data());
        },
        {"[wait_for_each_other] block (0, 0, 0), lane", "no end: 100000", "atomics.h"});
}
NATIVEGRAD_TEST(finds_endless_votes) {
    Buffer<int> out(1);
    sim::setup().patience = 100000;
    expect_error(
        [&] {
            launch<vote_for_ever>({1, 32}, {}, out.data());
        },
        {"[vote_for_ever] block (0, 0, 0), lane", "no end: 100000", "ballot() at block_faults.cu"});
}
NATIVEGRAD_ACCESS_TEST(finds_races_of_blocks) {
    Buffer<int> x(std::vector<int>(8, 0));
    expect_error(
        [&] {
            launch<write_word_of_all_blocks>({4, 32}, {}, x.data());
        },
        {"[write_word_of_all_blocks]", "race on device memory", "written by block number", "then written",
         "block_faults.cu"});
    sim::forget_errors();
    expect_error(
        [&] {
            launch<read_word_of_next_block>({7, 32}, {}, x.data());
        },
        {"[read_word_of_next_block]", "race on device memory"});
    sim::forget_errors();
    expect_error(
        [&] {
            launch<add_beside_a_write>({4, 32}, {}, x.data());
        },
        {"race on device memory", "changed atomically"});
    sim::forget_errors();
    sim::setup().block_races = false;
    launch<write_word_of_all_blocks>({4, 32}, {}, x.data());
}
NATIVEGRAD_TEST(lets_blocks_share_without_race) {
    Buffer<uint8_t> bytes(std::vector<uint8_t>(13, 1));
    Buffer<int> parts(std::vector<int>(13, 0)), sums(std::vector<int>{0, 2});
    for (int i = 1; i <= 3; ++i) launch<share_without_race>({13, 32}, {}, bytes.data(), sums.data());
    expect(bytes.values() == std::vector<uint8_t>(13, 7) && sums.values()[0] == 39, "values");
    copy_to_device(sums.data(), std::vector<int>{0, 0}.data(), 2 * sizeof(int), {});
    launch<add_up_in_last_block>({13, 32}, {}, parts.data(), sums.data());
    expect(sums.values()[1] == 78, "sum of the parts");
}
// Launches go by 16 bits: what an old one of the same number did is forgotten.
NATIVEGRAD_ACCESS_TEST(forgets_races_of_old_launches) {
    if (sim::setup().seed != 0) return;
    Buffer<int> x(std::vector<int>(70, 0));
    for (int i = 0; i < 70000; ++i) {
        const int part = i % 65535 == 0 ? 64 : 0;
        launch<write_own_word>({2, 1}, {}, x.data() + part, (i / 65535) % 2);
    }
}

}  // namespace nativegrad::cuda::test
