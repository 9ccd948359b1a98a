// For functions without a vector form: the C library's, lane by lane, tails included. Included inside an
// instruction-set namespace after a vector F32.

template <class Function>
inline F32 map_lanes(F32 a, Function function) {
    alignas(64) float lanes[F32::width];
    store(lanes, a);
    for (int64_t lane = 0; lane < F32::width; ++lane) lanes[lane] = function(lanes[lane]);
    return load(lanes);
}

template <class Function>
inline F32 map_lanes(F32 a, F32 b, Function function) {
    alignas(64) float lanes[F32::width], others[F32::width];
    store(lanes, a);
    store(others, b);
    for (int64_t lane = 0; lane < F32::width; ++lane) lanes[lane] = function(lanes[lane], others[lane]);
    return load(lanes);
}
