// Ops that gather, scatter, order and count elements.
#include "moves.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nativegrad::fuzz {

AxisShape draw_axis_shape(Workbench& bench) {
    Random& random = bench.random();
    AxisShape made{Shape(static_cast<size_t>(random.integer(1, 4))), 0, 1, 0, 1};
    do {
        for (int64_t& size : made.shape) size = random.chance(0.3) ? random.size(150) : random.integer(1, 16);
    } while (size_of(made.shape) > (bench.large() ? 60000 : 5000));
    const size_t axis = static_cast<size_t>(random.integer(0, static_cast<int64_t>(made.shape.size()) - 1));
    made.axis = static_cast<int64_t>(axis);
    made.size = made.shape[axis];
    for (size_t i = 0; i < made.shape.size(); ++i) {
        if (i < axis) made.before *= made.shape[i];
        if (i > axis) made.behind *= made.shape[i];
    }
    return made;
}

namespace {

DType draw_float(Random& random) {
    return random.pick({DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16});
}

DType draw_any(Random& random) {
    return random.pick({DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16,
                        DType::int32, DType::int64, DType::uint8});
}

DType draw_index_dtype(Random& random) { return random.pick({DType::int32, DType::int64}); }

std::function<double()> values_of(Random& random, DType dtype) {
    return [&random, dtype] {
        return is_float(dtype) ? random.uniform(-9, 9) : static_cast<double>(random.integer(0, 100));
    };
}

// One output whose elements are known exactly.
std::vector<Check> exactly(const Operand& out, const std::vector<double>& values) {
    std::vector<Expected> expected;
    for (const double value : values) expected.push_back({value, 0});
    return {{&out, "out", std::move(expected)}};
}

// x_i [.., D_i, ..] -> out [.., sum of D_i, ..]
Case draw_concat(Workbench& bench) {
    Random& random = bench.random();
    const AxisShape shape = draw_axis_shape(bench);
    const DType dtype = draw_any(random);
    Case made;
    std::vector<int64_t> sizes;
    for (int64_t parts = random.integer(1, 4); parts > 0; --parts) {
        sizes.push_back(random.chance(0.1) ? 0 : random.integer(1, shape.size));
        made.inputs.push_back(
            bench.input(shape.with(sizes.back()).shape, dtype, Layout::any, values_of(random, dtype)));
    }
    const AxisShape whole = shape.with(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}));
    made.outputs.push_back(bench.output(whole.shape, dtype, Layout::any));
    call_with(made, OpCode::concat, AxisParams{shape.axis});
    made.checks = [=](const Case& ran) {
        std::vector<double> values(static_cast<size_t>(size_of(whole.shape)));
        int64_t start = 0;
        for (size_t k = 0; k < sizes.size(); ++k) {
            const AxisShape part = shape.with(sizes[k]);
            part.each_row([&](int64_t outer, int64_t inner) {
                for (int64_t i = 0; i < sizes[k]; ++i)
                    values[whole.at(outer, start + i, inner)] =
                        ran.inputs[k].values[part.at(outer, i, inner)];
            });
            start += sizes[k];
        }
        return exactly(ran.outputs[0], values);
    };
    return made;
}

// x [.., D, ..], index [n] -> out [.., n, ..]; dy [.., n, ..], index [n] -> out [.., D, ..]
Case draw_index(Workbench& bench) {
    Random& random = bench.random();
    const AxisShape shape = draw_axis_shape(bench);
    const bool adds = random.chance(0.5);
    const int64_t n = random.size(shape.size + 20);
    const AxisShape picked = shape.with(n), &from = adds ? picked : shape, &to = adds ? shape : picked;
    const DType dtype = adds ? random.pick({DType::float32, DType::float64}) : draw_any(random);
    const int64_t skip = adds && random.chance(0.2) ? random.integer(0, shape.size - 1) : -1;
    Case made;
    made.inputs.push_back(
        bench.input(from.shape, dtype, adds ? Layout::row_major : Layout::any, values_of(random, dtype)));
    made.inputs.push_back(bench.input({n}, draw_index_dtype(random), Layout::any, [&] {
        return static_cast<double>(random.integer(0, shape.size - 1));
    }));
    made.outputs.push_back(bench.output(to.shape, dtype, adds ? Layout::row_major : Layout::any));
    if (adds) {
        call_with(made, OpCode::index_add, IndexAddParams{shape.axis, skip});
    } else {
        call_with(made, OpCode::index_select, AxisParams{shape.axis});
    }
    made.checks = [=](const Case& ran) {
        const std::vector<double>&x = ran.inputs[0].values, &index = ran.inputs[1].values;
        std::vector<Sum> sums(static_cast<size_t>(size_of(adds ? shape.shape : picked.shape)));
        shape.each_row([&](int64_t outer, int64_t inner) {
            for (int64_t i = 0; i < n; ++i) {
                const int64_t place = static_cast<int64_t>(index[static_cast<size_t>(i)]);
                if (place == skip) continue;
                const size_t one = picked.at(outer, i, inner), other = shape.at(outer, place, inner);
                sums[adds ? other : one].add(x[adds ? one : other]);
            }
        });
        std::vector<Expected> expected;
        for (const Sum& sum : sums)
            expected.push_back(adds ? sum.within(dtype, dtype) : Expected{sum.value, 0});
        return std::vector<Check>{{&ran.outputs[0], "out", std::move(expected)}};
    };
    return made;
}

// x [.., D, ..], index [.., n, ..] -> out [.., n, ..]; x, index, source [.., n, ..] -> out [.., D, ..]
Case draw_gather(Workbench& bench) {
    Random& random = bench.random();
    const AxisShape shape = draw_axis_shape(bench);
    const bool adds = random.chance(0.5), wraps = random.chance(0.5);
    const AxisShape picked = shape.with(random.size(shape.size + 20));
    const DType dtype = draw_any(random);
    Case made;
    made.inputs.push_back(bench.input(shape.shape, dtype, Layout::any, values_of(random, dtype)));
    made.inputs.push_back(bench.input(picked.shape, draw_index_dtype(random), Layout::any, [&] {
        return static_cast<double>(random.integer(wraps ? -shape.size : 0, shape.size - 1));
    }));
    if (adds) made.inputs.push_back(bench.input(picked.shape, dtype, Layout::any, values_of(random, dtype)));
    made.outputs.push_back(bench.output(adds ? shape.shape : picked.shape, dtype, Layout::any));
    call_with(made, adds ? OpCode::scatter_add : OpCode::gather, GatherParams{shape.axis, wraps});
    made.checks = [=](const Case& ran) {
        const std::vector<double>& x = ran.inputs[0].values;
        std::vector<Sum> sums(static_cast<size_t>(size_of(adds ? shape.shape : picked.shape)));
        for (size_t i = 0; adds && i < sums.size(); ++i) sums[i].add(x[i]);
        shape.each_row([&](int64_t outer, int64_t inner) {
            for (int64_t i = 0; i < picked.size; ++i) {
                const size_t one = picked.at(outer, i, inner);
                const int64_t place = static_cast<int64_t>(ran.inputs[1].values[one]);
                const size_t other = shape.at(outer, place < 0 ? place + shape.size : place, inner);
                sums[adds ? other : one].add(adds ? ran.inputs[2].values[one] : x[other]);
            }
        });
        std::vector<Expected> expected;
        for (const Sum& sum : sums) {
            // Bytes wrap around.
            const double value = dtype == DType::uint8 ? std::fmod(sum.value, 256) : sum.value;
            expected.push_back(adds && is_float(dtype) ? sum.within(compute_of(dtype), dtype)
                                                       : Expected{value, 0});
        }
        return std::vector<Check>{{&ran.outputs[0], "out", std::move(expected)}};
    };
    return made;
}

// x [.., D, ..] -> sums up to, or from, each element along the axis
Case draw_cumsum(Workbench& bench) {
    Random& random = bench.random();
    const AxisShape shape = draw_axis_shape(bench);
    const bool reverse = random.chance(0.5);
    const DType dtype = random.chance(0.2) ? DType::int64 : draw_float(random);
    Case made;
    made.inputs.push_back(bench.input(shape.shape, dtype, Layout::any, values_of(random, dtype)));
    if (is_float(dtype) && random.chance(0.1)) bench.spoil(made.inputs[0]);
    made.outputs.push_back(bench.output(shape.shape, dtype, Layout::any));
    call_with(made, OpCode::cumsum, ScanParams{shape.axis, reverse});
    made.checks = [=](const Case& ran) {
        std::vector<Expected> expected(static_cast<size_t>(size_of(shape.shape)));
        shape.each_row([&](int64_t outer, int64_t inner) {
            Sum sum;
            for (int64_t i = 0; i < shape.size; ++i) {
                const size_t at = shape.at(outer, reverse ? shape.size - 1 - i : i, inner);
                sum.add(ran.inputs[0].values[at]);
                expected[at] =
                    is_float(dtype) ? sum.within(compute_of(dtype), dtype) : Expected{sum.value, 0};
            }
        });
        return std::vector<Check>{{&ran.outputs[0], "out", std::move(expected)}};
    };
    return made;
}

// x [.., D] -> for each element the product of the others in its row
Case draw_prod_others(Workbench& bench) {
    Random& random = bench.random();
    const Shape shape{random.integer(1, 40), random.size(60)};
    const DType dtype = draw_float(random);
    Case made;
    made.inputs.push_back(bench.input(shape, dtype, Layout::any,
                                      [&] { return random.chance(0.02) ? 0.0 : random.uniform(0.8, 1.2); }));
    made.outputs.push_back(bench.output(shape, dtype, Layout::any));
    call_with(made, OpCode::prod_others, NoParams{});
    made.checks = [=](const Case& ran) {
        const size_t n = static_cast<size_t>(shape[1]);
        std::vector<Expected> expected;
        for (size_t i = 0; i < static_cast<size_t>(size_of(shape)); ++i) {
            double product = 1;
            for (size_t k = i / n * n; k < i / n * n + n; ++k)
                product *= k == i ? 1 : ran.inputs[0].values[k];
            expected.push_back({product, 2 * static_cast<double>(n) * 0x1p-52 * std::fabs(product) +
                                             1.01 * unit_roundoff(dtype) * std::fabs(product) + tiny(dtype)});
        }
        return std::vector<Check>{{&ran.outputs[0], "out", std::move(expected)}};
    };
    return made;
}

// x [.., D, ..] -> the first K of each row in sorted order, and where they were
Case draw_sort(Workbench& bench) {
    Random& random = bench.random();
    const AxisShape shape = draw_axis_shape(bench);
    const AxisShape kept = shape.with(random.chance(0.5) ? shape.size : random.integer(1, shape.size));
    const bool descending = random.chance(0.5), few = random.chance(0.5);
    const DType dtype = random.chance(0.2) ? DType::int32 : draw_float(random);
    Case made;
    made.inputs.push_back(bench.input(shape.shape, dtype, Layout::any, [&] {
        return few || !is_float(dtype) ? static_cast<double>(random.integer(-4, 4)) : random.uniform(-9, 9);
    }));
    if (is_float(dtype) && random.chance(0.15)) bench.spoil(made.inputs[0]);
    made.outputs.push_back(bench.output(kept.shape, dtype, Layout::any));
    made.outputs.push_back(bench.output(kept.shape, DType::int64, Layout::any));
    call_with(made, OpCode::sort, SortParams{shape.axis, descending});
    made.checks = [=](const Case& ran) {
        const std::vector<double>& x = ran.inputs[0].values;
        std::vector<Expected> values(static_cast<size_t>(size_of(kept.shape))), places(values.size());
        std::vector<int64_t> order(static_cast<size_t>(shape.size));
        shape.each_row([&](int64_t outer, int64_t inner) {
            std::iota(order.begin(), order.end(), int64_t{0});
            std::stable_sort(order.begin(), order.end(), [&](int64_t left, int64_t right) {
                const double a = x[shape.at(outer, descending ? right : left, inner)];
                const double b = x[shape.at(outer, descending ? left : right, inner)];
                return std::isnan(b) ? !std::isnan(a) : a < b;
            });
            for (int64_t i = 0; i < kept.size; ++i) {
                const int64_t place = order[static_cast<size_t>(i)];
                values[kept.at(outer, i, inner)] = {x[shape.at(outer, place, inner)], 0};
                places[kept.at(outer, i, inner)] = {static_cast<double>(place), 0};
            }
        });
        return std::vector<Check>{{&ran.outputs[0], "values", std::move(values)},
                                  {&ran.outputs[1], "places", std::move(places)}};
    };
    return made;
}

// x [...] -> the places of its elements other than 0
Case draw_nonzero(Workbench& bench) {
    Random& random = bench.random();
    const AxisShape shape = draw_axis_shape(bench);
    const DType dtype = draw_any(random);
    Case made;
    made.inputs.push_back(bench.input(shape.shape, dtype, Layout::row_major, [&] {
        return random.chance(0.3) ? static_cast<double>(random.integer(1, 9)) : 0.0;
    }));
    if (is_float(dtype) && random.chance(0.15)) bench.spoil(made.inputs[0]);
    std::vector<double> places;
    for (size_t i = 0; i < made.inputs[0].values.size(); ++i) {
        if (made.inputs[0].values[i] == 0) continue;
        int64_t rest = static_cast<int64_t>(i), stride = size_of(shape.shape);
        for (const int64_t size : shape.shape) {
            stride /= size;
            places.push_back(static_cast<double>(rest / stride));
            rest %= stride;
        }
    }
    const int64_t rank = static_cast<int64_t>(shape.shape.size());
    made.outputs.push_back(bench.output({static_cast<int64_t>(places.size()) / rank, rank}, DType::int64));
    call_with(made, OpCode::nonzero, NoParams{});
    made.checks = [places](const Case& ran) { return exactly(ran.outputs[0], places); };
    return made;
}

}  // namespace

Case draw_move(Workbench& bench) {
    switch (bench.random().integer(0, 6)) {
        case 0:
            return draw_concat(bench);
        case 1:
            return draw_index(bench);
        case 2:
            return draw_gather(bench);
        case 3:
            return draw_cumsum(bench);
        case 4:
            return draw_prod_others(bench);
        case 5:
            return draw_sort(bench);
        default:
            return draw_nonzero(bench);
    }
}

}  // namespace nativegrad::fuzz
