// Tensors seen as [before, axis, behind], which the ops along one axis work on.
#pragma once

#include "case.h"

namespace nativegrad::fuzz {

struct AxisShape {
    Shape shape;
    int64_t axis, before, size, behind;

    size_t at(int64_t outer, int64_t i, int64_t inner) const {
        return static_cast<size_t>((outer * size + i) * behind + inner);
    }
    // The same with another size along the axis.
    AxisShape with(int64_t other) const {
        AxisShape made = *this;
        made.size = made.shape[static_cast<size_t>(axis)] = other;
        return made;
    }
    // body(outer, inner) for each row along the axis
    template <class Body>
    void each_row(const Body& body) const {
        for (int64_t outer = 0; outer < before; ++outer) {
            for (int64_t inner = 0; inner < behind; ++inner) body(outer, inner);
        }
    }
};

AxisShape draw_axis_shape(Workbench& bench);

}  // namespace nativegrad::fuzz
