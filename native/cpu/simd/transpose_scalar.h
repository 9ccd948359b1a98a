// rows[i] lane j <-> rows[j] lane i of a square of vectors. Included inside an instruction-set namespace.

inline void transpose_square(F32*) {}
inline void transpose_square(F64*) {}

template <class Join>
inline F32 join_lanes(F32* rows, const Join&) {
    return rows[0];
}
