// Included inside an instruction-set namespace; the compiler makes vectors of it.

// y = x * scale + shift, each step rounded
void u8_to_f32(const uint8_t* x, float* y, int64_t n, float scale, float shift) {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]) * scale + shift;
}
