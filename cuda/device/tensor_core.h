// mma.sync and ldmatrix, for whole warps. g = lane / 4, t = lane % 4; pairs are two 16-bit values, low bits
// first.
//
//   m16n8k16 (f16, bf16)   a[0] = A[g][2t, 2t+1]     a[1] = A[g+8][2t, 2t+1]     A [16, 16]
//                          a[2] = A[g][2t+8, 2t+9]   a[3] = A[g+8][2t+8, 2t+9]
//                          b[0] = B[2t, 2t+1][g]     b[1] = B[2t+8, 2t+9][g]     B [16, 8]
//   m16n8k8 (tf32)         a[0] = A[g][t]  a[1] = A[g+8][t]  a[2] = A[g][t+4]  a[3] = A[g+8][t+4]     A [16,
//   8]
//                          b[0] = B[t][g]  b[1] = B[t+4][g]                                           B [8,
//                          8]
//   both                   c[0], c[1] = C[g][2t, 2t+1]     c[2], c[3] = C[g+8][2t, 2t+1]              C [16,
//   8]
//
// f16 needs sm_75, bf16 and tf32 sm_80 (the kernel traps on older ones: choose another on the host).
#pragma once

#include "device/async_copy.h"
#include "device/half.h"

namespace nativegrad::cuda {

struct FragmentA {
    uint32_t r[4];
};
struct FragmentB {
    uint32_t r[2];
};
struct FragmentC {
    float v[4];
};

#ifdef NATIVEGRAD_SIM

namespace sim {
enum class MmaKind { f16, bf16, tf32 };
void mma(MmaKind kind, FragmentC& c, const FragmentA& a, const FragmentB& b, Site site);
void load_matrices(uint32_t* registers, int count, bool transpose, const void* row, Site site);
}  // namespace sim

// c += a b
inline void mma_f16(FragmentC& c, const FragmentA& a, const FragmentB& b, Site site = Site::here()) {
    sim::mma(sim::MmaKind::f16, c, a, b, site);
}
inline void mma_bf16(FragmentC& c, const FragmentA& a, const FragmentB& b, Site site = Site::here()) {
    sim::mma(sim::MmaKind::bf16, c, a, b, site);
}
inline void mma_tf32(FragmentC& c, const FragmentA& a, const FragmentB& b, Site site = Site::here()) {
    sim::mma(sim::MmaKind::tf32, c, a, b, site);
}
// The bits of a float rounded to TF32 (to nearest, ties away from zero).
inline uint32_t to_tf32(float value) {
    const uint32_t bits = float_bits(value);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
}

// `count` 8x8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8 (16 bytes,
// aligned); r[m] of lane i is then elements 2 (i % 4), 2 (i % 4) + 1 of row i / 4 of matrix m, of its
// transpose with `transpose`.
template <int count, bool transpose = false>
void load_matrices(uint32_t (&r)[count], const void* row, Site site = Site::here()) {
    static_assert(count == 1 || count == 2 || count == 4, "ldmatrix loads 1, 2 or 4 matrices");
    sim::load_matrices(r, count, transpose, row, site);
}

#elif defined(__CUDACC__)

__device__ __forceinline__ void mma_f16(FragmentC& c, const FragmentA& a, const FragmentB& b) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
        : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#else
    for (int half = 0; half < 2; ++half) {
        asm volatile(
            "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
            : "r"(a.r[2 * half]), "r"(a.r[2 * half + 1]), "r"(b.r[half]));
    }
#endif
}
__device__ __forceinline__ void mma_bf16(FragmentC& c, const FragmentA& a, const FragmentB& b) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
        : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#else
    __trap();
#endif
}
__device__ __forceinline__ void mma_tf32(FragmentC& c, const FragmentA& a, const FragmentB& b) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
        : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#else
    __trap();
#endif
}
__device__ __forceinline__ uint32_t to_tf32(float value) {
    uint32_t bits;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
#else
    bits = __float_as_uint(value);
#endif
    return bits;
}

template <int count, bool transpose = false>
__device__ __forceinline__ void load_matrices(uint32_t (&r)[count], const void* row) {
    static_assert(count == 1 || count == 2 || count == 4, "ldmatrix loads 1, 2 or 4 matrices");
    const uint32_t address = detail::shared_address(row);
    if constexpr (count == 1 && !transpose) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                     : "=r"(r[0])
                     : "r"(address)
                     : "memory");
    } else if constexpr (count == 1) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                     : "=r"(r[0])
                     : "r"(address)
                     : "memory");
    } else if constexpr (count == 2 && !transpose) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(r[0]), "=r"(r[1])
                     : "r"(address)
                     : "memory");
    } else if constexpr (count == 2) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(r[0]), "=r"(r[1])
                     : "r"(address)
                     : "memory");
    } else if constexpr (!transpose) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
    } else {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
    }
}

#endif

}  // namespace nativegrad::cuda
