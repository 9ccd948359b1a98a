// One double per "vector". Included inside an instruction-set namespace, after f32_scalar.h.

struct F64 {
    using Element = double;
    static constexpr int64_t width = 1;
    double v;
    F64() = default;
    explicit F64(double value) : v(value) {}
};

inline F64 load(const double* from) { return F64(*from); }
inline F64 load_part(const double* from, int64_t) { return F64(*from); }
inline F64 broadcast(const double* from) { return F64(*from); }
inline void store(double* to, F64 x) { *to = x.v; }
inline void store_part(double* to, F64 x, int64_t) { *to = x.v; }
inline F64 operator+(F64 a, F64 b) { return F64(a.v + b.v); }
inline F64 operator*(F64 a, F64 b) { return F64(a.v * b.v); }
inline F64 fma(F64 a, F64 b, F64 c) { return F64(a.v * b.v + c.v); }

inline void add_wide(double* to, F32 x, int64_t) { *to += static_cast<double>(x.v); }
