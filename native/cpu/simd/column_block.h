// Columns that lie side by side, in vectors. Included inside an instruction-set namespace.

template <int vectors>
struct ColumnBlock {
    static constexpr int count = vectors;
    int64_t lanes;  // of the only vector, where it is not full

    F32 get(const float* from, int j) const {
        return lanes == F32::width ? load(from + j * F32::width) : load_part(from, lanes);
    }
    void put(float* to, int j, F32 x) const {
        if (lanes == F32::width) {
            store(to + j * F32::width, x);
        } else {
            store_part(to, x, lanes);
        }
    }
};

// body(block, first column) for four full vectors at a time, then fewer, then for the rest
template <class Body>
void each_column_block(int64_t n, const Body& body) {
    constexpr int64_t width = F32::width;
    int64_t j = 0;
    for (; j + 4 * width <= n; j += 4 * width) body(ColumnBlock<4>{width}, j);
    for (; j + 2 * width <= n; j += 2 * width) body(ColumnBlock<2>{width}, j);
    for (; j + width <= n; j += width) body(ColumnBlock<1>{width}, j);
    if (j < n) body(ColumnBlock<1>{n - j}, j);
}
