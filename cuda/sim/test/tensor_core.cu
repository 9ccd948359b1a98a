// Tile products by mma.sync, ldmatrix and a cp.async pipeline against plain loops.
#include <cmath>

#include "device/device.h"
#include "sim/test/check.h"
#ifdef NATIVEGRAD_SIM
#include "sim/control.h"
#endif

namespace nativegrad::cuda::test {

namespace {

template <class T>
__device__ __forceinline__ void multiply(FragmentC& c, const FragmentA& a, const FragmentB& b);
template <>
__device__ __forceinline__ void multiply<Float16>(FragmentC& c, const FragmentA& a, const FragmentB& b) {
    mma_f16(c, a, b);
}
template <>
__device__ __forceinline__ void multiply<BFloat16>(FragmentC& c, const FragmentA& a, const FragmentB& b) {
    mma_bf16(c, a, b);
}

__device__ __forceinline__ void store_tile(float* c, const FragmentC& f) {
    const int g = lane_index() / 4, t = lane_index() % 4;
    for (int i = 0; i < 4; ++i) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = f.v[i];
}

// a [16, k], b [k, 8] -> c [16, 8]; k a multiple of 16, fragments straight from memory
template <class T>
__global__ void product_from_registers(const T* a, const T* b, float* c, int k) {
    const int g = lane_index() / 4, t = lane_index() % 4;
    FragmentC sum = {};
    for (int at = 0; at < k; at += 16) {
        FragmentA fa;
        FragmentB fb;
        for (int r = 0; r < 4; ++r) {
            const T* pair = a + (g + 8 * (r % 2)) * k + at + 2 * t + 8 * (r / 2);
            fa.r[r] = pack_pair(pair[0], pair[1]);
        }
        for (int r = 0; r < 2; ++r) {
            const T* pair = b + (at + 2 * t + 8 * r) * 8 + g;
            fb.r[r] = pack_pair(pair[0], pair[8]);
        }
        multiply<T>(sum, fa, fb);
    }
    store_tile(c, sum);
}

// a [16, k], b [k, 8] -> c [16, 8]; k a multiple of 16. Two stages of cp.async, fragments by ldmatrix
__global__ void product_by_pipeline(const Float16* a, const Float16* b, float* c, int k) {
    SharedArena arena;
    Float16* stage_a = arena.take<Float16>(2 * 16 * 24);
    Float16* stage_b = arena.take<Float16>(2 * 16 * 8);
    const int lane = lane_index();
    const auto fetch = [&](int step) {
        const int stage = step % 2;
        async_copy<16>(stage_a + (stage * 16 + lane / 2) * 24 + lane % 2 * 8,
                       a + lane / 2 * k + step * 16 + lane % 2 * 8);
        if (lane < 16) async_copy<16>(stage_b + (stage * 16 + lane) * 8, b + (step * 16 + lane) * 8);
    };
    FragmentC sum = {};
    fetch(0);
    async_copy_commit();
    for (int step = 0; step < k / 16; ++step) {
        if (step + 1 < k / 16) fetch(step + 1);
        async_copy_commit();
        async_copy_wait<1>();
        warp_barrier();
        FragmentA fa;
        FragmentB fb;
        const int stage = step % 2;
        load_matrices<4>(fa.r, stage_a + (stage * 16 + lane % 16) * 24 + lane / 16 * 8);
        load_matrices<2, true>(fb.r, stage_b + (stage * 16 + lane % 16) * 8);
        mma_f16(sum, fa, fb);
        warp_barrier();
    }
    store_tile(c, sum);
}

// a [16, k], b [k, 8] -> c [16, 8]; k a multiple of 8
__global__ void product_in_tf32(const float* a, const float* b, float* c, int k) {
    const int g = lane_index() / 4, t = lane_index() % 4;
    FragmentC sum = {};
    for (int at = 0; at < k; at += 8) {
        FragmentA fa;
        FragmentB fb;
        for (int r = 0; r < 4; ++r) fa.r[r] = to_tf32(a[(g + 8 * (r % 2)) * k + at + t + 4 * (r / 2)]);
        for (int r = 0; r < 2; ++r) fb.r[r] = to_tf32(b[(at + t + 4 * r) * 8 + g]);
        mma_tf32(sum, fa, fb);
    }
    store_tile(c, sum);
}

// x [32, 8] of 16-bit elements -> out [4, 32]: what ldmatrix gives, plain and transposed
template <bool transpose>
__global__ void spread_matrices(const uint16_t* x, uint32_t* out) {
    SharedArena arena;
    uint16_t* rows = arena.take<uint16_t>(32 * 8);
    store_pack(rows + 8 * lane_index(), load_pack<8>(x + 8 * lane_index()));
    warp_barrier();
    uint32_t r[4];
    load_matrices<4, transpose>(r, rows + 8 * lane_index());
    for (int m = 0; m < 4; ++m) out[m * 32 + lane_index()] = r[m];
}

float number(int i) { return static_cast<float>((i * 37 + 11) % 64 - 32) / 16; }

template <class T>
std::vector<T> numbers(int count, int offset) {
    std::vector<T> values;
    for (int i = 0; i < count; ++i) values.push_back(from_float<T>(number(i + offset)));
    return values;
}

template <class T>
std::vector<float> plain_product(const std::vector<T>& a, const std::vector<T>& b, int k) {
    std::vector<float> c(16 * 8);
    for (int i = 0; i < 16 * 8; ++i) {
        double sum = 0;
        for (int j = 0; j < k; ++j) {
            sum += double{as_float(a[static_cast<size_t>(i / 8 * k + j)])} *
                   as_float(b[static_cast<size_t>(j * 8 + i % 8)]);
        }
        c[static_cast<size_t>(i)] = static_cast<float>(sum);
    }
    return c;
}

template <class T, class Launch>
void compare_product(int k, Launch run) {
    const std::vector<T> a = numbers<T>(16 * k, 0), b = numbers<T>(k * 8, 5);
    Buffer<T> device_a(a), device_b(b);
    Buffer<float> c(16 * 8);
    run(device_a.data(), device_b.data(), c.data());
    const std::vector<float> got = c.values(), expected = plain_product(a, b, k);
    for (size_t i = 0; i < got.size(); ++i) {
        // The operands are exact in every format, and so are their sums in float.
        expect(got[i] == expected[i], "element " + std::to_string(i) + ": " + std::to_string(got[i]) +
                                          ", not " + std::to_string(expected[i]));
    }
}

}  // namespace

NATIVEGRAD_TEST(mma_f16_product) {
    compare_product<Float16>(48, [](Float16* a, Float16* b, float* c) {
        launch<product_from_registers<Float16>>({1, 32}, {}, a, b, c, 48);
    });
}
NATIVEGRAD_TEST(mma_bf16_product) {
    compare_product<BFloat16>(32, [](BFloat16* a, BFloat16* b, float* c) {
        launch<product_from_registers<BFloat16>>({1, 32}, {}, a, b, c, 32);
    });
}
NATIVEGRAD_TEST(mma_tf32_product) {
    compare_product<float>(24, [](float* a, float* b, float* c) {
        launch<product_in_tf32>({1, 32}, {}, a, b, c, 24);
    });
}
#ifdef NATIVEGRAD_SIM
NATIVEGRAD_TEST(mma_needs_its_capability) {
    sim::apply_setup("capability=75");
    Buffer<BFloat16> x(16 * 16);
    Buffer<float> c(16 * 8);
    expect_error(
        [&] {
            launch<product_from_registers<BFloat16>>({1, 32}, {}, x.data(), x.data(), c.data(), 16);
        },
        {"[product_from_registers<BFloat16>]", "needs capability 80", "75"});
}
#endif

NATIVEGRAD_TEST(tf32_drops_low_bits) {
    std::vector<float> a(16 * 8), b(8 * 8);
    // 1 + 2^-11 lies half way between two TF32 numbers and goes up.
    a[0] = 1 + std::ldexp(1.0f, -11);
    b[0] = 1;
    Buffer<float> device_a(a), device_b(b), c(16 * 8);
    launch<product_in_tf32>({1, 32}, {}, device_a.data(), device_b.data(), c.data(), 8);
    expect(c.values()[0] == 1 + std::ldexp(1.0f, -10), "rounding to TF32");
}
NATIVEGRAD_TEST(pipeline_of_async_copies) {
    compare_product<Float16>(80, [](Float16* a, Float16* b, float* c) {
        launch<product_by_pipeline>(
            {1, 32, shared_bytes<Float16>(2 * 16 * 24) + shared_bytes<Float16>(2 * 16 * 8)}, {}, a, b, c, 80);
    });
}
NATIVEGRAD_TEST(ldmatrix_places) {
    std::vector<uint16_t> x(32 * 8);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i);
    Buffer<uint16_t> device_x(x);
    Buffer<uint32_t> out(128), transposed(128);
    launch<spread_matrices<false>>({1, 32, 512}, {}, device_x.data(), out.data());
    launch<spread_matrices<true>>({1, 32, 512}, {}, device_x.data(), transposed.data());
    for (uint32_t m = 0; m < 4; ++m) {
        for (uint32_t lane = 0; lane < 32; ++lane) {
            const uint32_t base = m * 64, row = lane / 4, column = lane % 4 * 2;
            const uint32_t low = base + row * 8 + column;
            expect(out.values()[m * 32 + lane] == (low | (low + 1) << 16), "plain");
            const uint32_t across = base + column * 8 + row;
            expect(transposed.values()[m * 32 + lane] == (across | (across + 8) << 16), "transposed");
        }
    }
}

}  // namespace nativegrad::cuda::test
