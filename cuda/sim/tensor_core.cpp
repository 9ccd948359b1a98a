// mma.sync and ldmatrix: the last lane to come gathers the fragments of the warp.
#include "device/tensor_core.h"

#include <cstring>

#include "device/memory.h"
#include "sim/control.h"
#include "sim/lanes.h"
#include "sim/meeting_report.h"
#include "sim/shared_shadow.h"

namespace nativegrad::cuda::sim {

namespace {

float value_of(MmaKind kind, uint32_t word, int half) {
    // The tensor core reads the upper 19 bits of a TF32 operand.
    if (kind == MmaKind::tf32) return bits_float(word & ~0x1fffu);
    const uint16_t bits = static_cast<uint16_t>(word >> (16 * half));
    return kind == MmaKind::f16 ? to_float(Float16{bits}) : to_float(BFloat16{bits});
}

// A [16, depth], B [depth, 8] out of the registers of the warp.
void gather(MmaKind kind, const Lane* lanes, float (*a)[16], float (*b)[8]) {
    const int pairs = kind == MmaKind::tf32 ? 1 : 2;
    for (int lane = 0; lane < warp_size; ++lane) {
        const int g = lane / 4, t = lane % 4;
        const FragmentA& fa = *static_cast<const FragmentA*>(lanes[lane].input[0]);
        const FragmentB& fb = *static_cast<const FragmentB*>(lanes[lane].input[1]);
        for (int r = 0; r < 4; ++r) {
            for (int half = 0; half < pairs; ++half) {
                const int k = pairs * (t + 4 * (r / 2)) + half;
                a[g + 8 * (r % 2)][k] = value_of(kind, fa.r[r], half);
                if (r < 2) b[pairs * (t + 4 * r) + half][g] = value_of(kind, fb.r[r], half);
            }
        }
    }
}

// C [16, 8] += A [16, depth] B [depth, 8], one rounding to float at the end.
template <MmaKind kind>
void complete_mma(int warp, uint32_t) {
    constexpr int depth = kind == MmaKind::tf32 ? 8 : 16;
    Lane* lanes = &block.lane[warp * warp_size];
    float a[16][16], b[16][8];
    gather(kind, lanes, a, b);
    for (int row = 0; row < 16; ++row) {
        double sums[8] = {};
        for (int k = 0; k < depth; ++k) {
            for (int column = 0; column < 8; ++column) sums[column] += double{a[row][k]} * b[k][column];
        }
        for (int column = 0; column < 8; ++column) {
            FragmentC& c = *static_cast<FragmentC*>(lanes[row % 8 * 4 + column / 2].output);
            float& value = c.v[row / 8 * 2 + column % 2];
            value = static_cast<float>(value + sums[column]);
        }
    }
}

void complete_load(int warp, uint32_t) {
    Lane* lanes = &block.lane[warp * warp_size];
    const int count = lanes[0].argument & 7;
    const bool transpose = (lanes[0].argument & 8) != 0;
    for (int matrix = 0; matrix < count; ++matrix) {
        uint16_t rows[8][8];
        for (int row = 0; row < 8; ++row) std::memcpy(rows[row], lanes[matrix * 8 + row].input[0], 16);
        for (int lane = 0; lane < warp_size; ++lane) {
            const int row = lane / 4, column = lane % 4 * 2;
            const uint32_t low = transpose ? rows[column][row] : rows[row][column];
            const uint32_t high = transpose ? rows[column + 1][row] : rows[row][column + 1];
            static_cast<uint32_t*>(lanes[lane].output)[matrix] = low | high << 16;
        }
    }
}

}  // namespace

void mma(MmaKind kind, FragmentC& c, const FragmentA& a, const FragmentB& b, Site site) {
    const int needed = kind == MmaKind::f16 ? 75 : 80;
    if (setup().capability < needed) {
        fail_lane("%s needs capability %d, the device has %d: choose another kernel on the host",
                  describe_meeting(Meet::mma, site).c_str(), needed, setup().capability);
    }
    Lane& lane = block.lane[current_lane];
    lane.input[0] = &a;
    lane.input[1] = &b;
    lane.output = &c;
    void (*complete)(int, uint32_t) = kind == MmaKind::f16    ? complete_mma<MmaKind::f16>
                                      : kind == MmaKind::bf16 ? complete_mma<MmaKind::bf16>
                                                              : complete_mma<MmaKind::tf32>;
    meet_warp(Meet::mma, full_warp, site, complete);
}

void load_matrices(uint32_t* registers, int count, bool transpose, const void* row, Site site) {
    Lane& lane = block.lane[current_lane];
    lane.input[0] = row;
    lane.output = registers;
    lane.argument = count | (transpose ? 8 : 0);
    // Lanes beyond the rows give an address that is not read.
    if (current_lane % warp_size < count * 8) {
        const size_t offset = static_cast<size_t>(static_cast<const unsigned char*>(row) - shared_memory());
        if (offset >= max_shared_bytes || offset % 16 != 0) {
            fail_lane("%s: row %p is not in shared memory at a multiple of 16 bytes (byte %zu)",
                      describe_meeting(Meet::load_matrices, site).c_str(), row, offset);
        }
        shadow_access(offset, 16, Access::read, __builtin_return_address(0));
    }
    meet_warp(Meet::load_matrices, full_warp, site, complete_load);
}

}  // namespace nativegrad::cuda::sim
