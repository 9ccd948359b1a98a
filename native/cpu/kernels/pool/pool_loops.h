// Included inside an instruction-set namespace.

struct PoolLanes {
    int64_t count;
    F32 get(const float* from) const { return count == F32::width ? load(from) : load_part(from, count); }
    void put(float* to, F32 x) const {
        if (count == F32::width) {
            store(to, x);
        } else {
            store_part(to, x, count);
        }
    }
};

template <class Body>
void each_channel_block(int64_t channels, const Body& body) {
    int64_t c = 0;
    for (; c + F32::width <= channels; c += F32::width) body(PoolLanes{F32::width}, c);
    if (c < channels) body(PoolLanes{channels - c}, c);
}

void max_pool_f32(const float* const* taps, const int32_t* ids, int64_t tap_count, int64_t windows,
                  int64_t step, int64_t channels, float* y, uint8_t* index) {
    for (int64_t p = 0; p < windows; ++p) {
        each_channel_block(channels, [=](PoolLanes lanes, int64_t c) {
            const int64_t at = p * step + c;
            F32 best = lanes.get(taps[0] + at);
            I32 found = int_constant(ids[0]);
            for (int64_t k = 1; k < tap_count; ++k) {
                const F32 x = lanes.get(taps[k] + at);
                const Mask better = less(best, x) | is_nan(x);
                best = select(better, x, best);
                found = bits_of(select(better, from_bits(int_constant(ids[k])), from_bits(found)));
            }
            lanes.put(y + p * channels + c, best);
            store_bytes(index + p * channels + c, found, lanes.count);
        });
    }
}

void max_unpool_f32(const float* dy, const uint8_t* index, const int32_t* ids, int64_t tap_count,
                    int64_t windows, int64_t step, int64_t channels, float* const* taps, bool accumulate) {
    const F32 zero(0.0);
    for (int64_t p = 0; p < windows; ++p) {
        each_channel_block(channels, [=](PoolLanes lanes, int64_t c) {
            const int64_t at = p * step + c;
            const F32 g = lanes.get(dy + p * channels + c);
            const I32 found = load_bytes(index + p * channels + c, lanes.count);
            for (int64_t k = 0; k < tap_count; ++k) {
                const F32 share = select(equal(found, int_constant(ids[k])), g, zero);
                lanes.put(taps[k] + at, accumulate ? lanes.get(taps[k] + at) + share : share);
            }
        });
    }
}
