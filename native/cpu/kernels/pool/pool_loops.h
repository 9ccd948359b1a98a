// Included inside an instruction-set namespace.

// `vectors` vectors of channels side by side; `lanes` of the only one where it is not full.
template <int vectors>
struct PoolBlock {
    static constexpr int count = vectors;
    int64_t lanes;

    F32 get(const float* from, int v) const {
        return lanes == F32::width ? load(from + v * F32::width) : load_part(from, lanes);
    }
    void put(float* to, int v, F32 x) const {
        if (lanes == F32::width) {
            store(to + v * F32::width, x);
        } else {
            store_part(to, x, lanes);
        }
    }
};

template <class Body>
void each_channel_block(int64_t channels, const Body& body) {
    constexpr int64_t width = F32::width;
    int64_t c = 0;
    for (; c + 4 * width <= channels; c += 4 * width) body(PoolBlock<4>{width}, c);
    for (; c + 2 * width <= channels; c += 2 * width) body(PoolBlock<2>{width}, c);
    for (; c + width <= channels; c += width) body(PoolBlock<1>{width}, c);
    if (c < channels) body(PoolBlock<1>{channels - c}, c);
}

void max_pool_f32(const float* const* taps, const int32_t* ids, int64_t tap_count, int64_t windows,
                  int64_t step, int64_t channels, float* y, uint8_t* index) {
    each_channel_block(channels, [=](auto block, int64_t c) {
        constexpr int count = decltype(block)::count;
        for (int64_t p = 0; p < windows; ++p) {
            const int64_t at = p * step + c, to = p * channels + c;
            F32 best[count];
            I32 found[count];
            for (int v = 0; v < count; ++v) {
                best[v] = block.get(taps[0] + at, v);
                found[v] = int_constant(ids[0]);
            }
            for (int64_t k = 1; k < tap_count; ++k) {
                const F32 id = from_bits(int_constant(ids[k]));
                for (int v = 0; v < count; ++v) {
                    const F32 x = block.get(taps[k] + at, v);
                    const Mask better = less(best[v], x) | is_nan(x);
                    best[v] = select(better, x, best[v]);
                    found[v] = bits_of(select(better, id, from_bits(found[v])));
                }
            }
            for (int v = 0; v < count; ++v) {
                block.put(y + to, v, best[v]);
                store_bytes(index + to + v * F32::width, found[v], block.lanes);
            }
        }
    });
}

void max_unpool_f32(const float* dy, const uint8_t* index, const int32_t* ids, int64_t tap_count,
                    int64_t windows, int64_t step, int64_t channels, float* const* taps, bool accumulate) {
    const F32 zero(0.0);
    each_channel_block(channels, [=](auto block, int64_t c) {
        constexpr int count = decltype(block)::count;
        for (int64_t p = 0; p < windows; ++p) {
            const int64_t at = p * step + c, from = p * channels + c;
            F32 g[count];
            I32 found[count];
            for (int v = 0; v < count; ++v) {
                g[v] = block.get(dy + from, v);
                found[v] = load_bytes(index + from + v * F32::width, block.lanes);
            }
            for (int64_t k = 0; k < tap_count; ++k) {
                const I32 id = int_constant(ids[k]);
                for (int v = 0; v < count; ++v) {
                    const F32 share = select(equal(found[v], id), g[v], zero);
                    block.put(taps[k] + at, v, accumulate ? block.get(taps[k] + at, v) + share : share);
                }
            }
        }
    });
}
