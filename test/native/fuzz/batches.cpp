// What makes, picks and changes batches: constants, random numbers, dropout, gathering, and resampling.
#include <algorithm>
#include <cmath>

#include "case.h"
#include "ops/functions.h"
#include "ops/philox.h"

namespace nativegrad::fuzz {

namespace {

Shape draw_plain_shape(Workbench& bench) {
    Random& random = bench.random();
    Shape shape(static_cast<size_t>(random.integer(0, 4)));
    do {
        for (int64_t& size : shape) size = random.chance(0.3) ? random.size(300) : random.integer(1, 24);
    } while (size_of(shape) > (bench.large() ? 80000 : 6000));
    return shape;
}

DType draw_float(Random& random) {
    return random.pick({DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16});
}

DType draw_any(Random& random) {
    return random.pick({DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16,
                        DType::int32, DType::int64, DType::uint8});
}

using Row = std::function<Expected(size_t)>;

// One output, element by element.
std::vector<Check> check_each(const Operand& out, const Row& row) {
    std::vector<Expected> expected;
    for (size_t i = 0; i < static_cast<size_t>(element_count(out.view)); ++i) expected.push_back(row(i));
    return {{&out, "out", std::move(expected)}};
}

// Computed in the compute type of `dtype` by a few roundings, then rounded to it.
Expected after_roundings(double value, double size, DType dtype) {
    return {value, 8 * unit_roundoff(compute_of(dtype)) * size +
                       1.01 * unit_roundoff(dtype) * std::fabs(value) + 2 * tiny(dtype)};
}

Case draw_fill(Workbench& bench) {
    Random& random = bench.random();
    const double value = static_cast<double>(random.integer(0, 100));
    Case made;
    made.outputs.push_back(bench.output(draw_plain_shape(bench), draw_any(random), Layout::any));
    call_with(made, OpCode::fill, FillParams{value});
    made.checks = [value](const Case& ran) {
        return check_each(ran.outputs[0], [value](size_t) { return Expected{value, 0}; });
    };
    return made;
}

Case draw_range(Workbench& bench) {
    Random& random = bench.random();
    const double start = static_cast<double>(random.integer(0, 20)), step = random.pick({1.0, 2.0, 0.5});
    const DType dtype = step == 0.5
                            ? random.pick({DType::float32, DType::float64})
                            : random.pick({DType::float32, DType::float64, DType::int32, DType::int64});
    Case made;
    made.outputs.push_back(bench.output({random.size(4000)}, dtype));
    call_with(made, OpCode::range, RangeParams{start, step});
    made.checks = [=](const Case& ran) {
        return check_each(ran.outputs[0], [=](size_t i) {
            return Expected{start + static_cast<double>(i) * step, 0};
        });
    };
    return made;
}

Case draw_contiguous(Workbench& bench) {
    Random& random = bench.random();
    const Shape shape = draw_plain_shape(bench);
    const DType dtype = draw_any(random);
    Case made;
    made.inputs.push_back(
        bench.input(shape, dtype, Layout::any, [&] { return static_cast<double>(random.integer(0, 200)); }));
    made.outputs.push_back(bench.output(shape, dtype));
    call_with(made, OpCode::contiguous, NoParams{});
    made.checks = [](const Case& ran) {
        return check_each(ran.outputs[0], [&](size_t i) { return Expected{ran.inputs[0].values[i], 0}; });
    };
    return made;
}

// Element i is kept where word i % 4 of the block offset + i / 4 is not below the probability.
Case draw_dropout(Workbench& bench) {
    Random& random = bench.random();
    const Shape shape = draw_plain_shape(bench);
    const DType dtype = draw_float(random);
    const double probability = random.pick({0.0, 0.1, 0.5, 1.0});
    const int64_t seed = random.integer(0, int64_t{1} << 50), offset = random.integer(0, int64_t{1} << 50);
    Case made;
    made.inputs.push_back(bench.input(shape, dtype, Layout::any, [&] { return random.uniform(-9, 9); }));
    if (random.chance(0.1)) bench.spoil(made.inputs[0]);
    made.outputs.push_back(bench.output(shape, dtype, Layout::any));
    call_with(made, OpCode::dropout,
              DropoutParams{bench.slot(probability), bench.slot(static_cast<double>(seed)),
                            bench.slot(static_cast<double>(offset))});
    made.checks = [=](const Case& ran) {
        return check_each(ran.outputs[0], [&](size_t i) {
            const PhiloxBlock block =
                philox(static_cast<uint64_t>(seed), static_cast<uint64_t>(offset) + i / 4, 0);
            const bool kept = static_cast<double>(uniform_float(block.values[i % 4])) >= probability;
            const double value = ran.inputs[0].values[i] * (kept ? 1 / (1 - probability) : 0);
            return after_roundings(value, std::fabs(value), dtype);
        });
    };
    return made;
}

struct Draw {
    Distribution distribution;
    DType dtype;
    double low, high;
    uint64_t seed, offset;

    Expected at(size_t i) const {
        const bool fours = distribution == Distribution::bernoulli ||
                           (distribution == Distribution::uniform && dtype != DType::float64);
        const size_t per_block = fours ? 4 : 2, k = i % per_block;
        const PhiloxBlock block = philox(seed, offset + i / per_block, 0);
        const double word = static_cast<double>(uniform_float(block.values[k]));
        switch (distribution) {
            case Distribution::bernoulli:
                return {word < low ? 1.0 : 0.0, 0};
            case Distribution::uniform: {
                const double share =
                    fours ? word : uniform_double(block.values[2 * k], block.values[2 * k + 1]);
                const double value = low + (high - low) * share;
                return after_roundings(value, std::fabs(low) + std::fabs(high), dtype);
            }
            case Distribution::integer: {
                const uint64_t bits = (uint64_t{block.values[2 * k]} << 32) | block.values[2 * k + 1];
                const auto range = static_cast<unsigned __int128>(high - low);
                return {low + static_cast<double>(static_cast<int64_t>((bits * range) >> 64)), 0};
            }
            default: {
                const NormalPair pair = normal_pair(block);
                const double value = low + high * (k == 0 ? pair.first : pair.second);
                return after_roundings(value, std::fabs(value) + std::fabs(low), dtype);
            }
        }
    }
};

Case draw_random(Workbench& bench) {
    Random& random = bench.random();
    Draw d{};
    d.distribution = static_cast<Distribution>(random.integer(0, 3));
    d.low = d.distribution == Distribution::bernoulli ? random.uniform()
                                                      : static_cast<double>(random.integer(-9, 9));
    d.high = d.low + static_cast<double>(random.integer(1, 50));
    d.dtype = d.distribution == Distribution::integer ? random.pick({DType::int32, DType::int64})
                                                      : random.pick({DType::float32, DType::float64});
    d.seed = static_cast<uint64_t>(random.integer(0, int64_t{1} << 50));
    d.offset = static_cast<uint64_t>(random.integer(0, int64_t{1} << 50));
    Case made;
    made.outputs.push_back(bench.output(draw_plain_shape(bench), d.dtype));
    call_with(
        made, OpCode::random,
        RandomParams{static_cast<int32_t>(d.distribution), bench.slot(d.low), bench.slot(d.high),
                     bench.slot(static_cast<double>(d.seed)), bench.slot(static_cast<double>(d.offset))});
    made.checks = [d](const Case& ran) {
        return check_each(ran.outputs[0], [&](size_t i) { return d.at(i); });
    };
    made.text = "distribution " + std::to_string(static_cast<int32_t>(d.distribution));
    return made;
}

// x [S, ...], index [n] -> out [n, ...] = x[index] scale + shift
Case draw_batch_gather(Workbench& bench) {
    Random& random = bench.random();
    Shape sample{random.size(bench.large() ? 1500 : 150)};
    if (random.chance(0.5)) sample.push_back(random.integer(1, 12));
    const int64_t samples = random.integer(1, 20), n = random.integer(1, bench.large() ? 40 : 20);
    // Pictures mostly come as bytes.
    const DType from = random.chance(0.5) ? DType::uint8 : draw_any(random), to = draw_float(random);
    const double scale = random.pick({1.0, 1.0 / 255, 2.0}), shift = random.pick({0.0, 0.0, -0.5});
    Shape x{samples}, out{n};
    x.insert(x.end(), sample.begin(), sample.end());
    out.insert(out.end(), sample.begin(), sample.end());
    Case made;
    made.inputs.push_back(
        bench.input(x, from, Layout::row_major, [&] { return static_cast<double>(random.integer(0, 255)); }));
    made.inputs.push_back(bench.input({n}, random.pick({DType::int32, DType::int64}), Layout::any,
                                      [&] { return static_cast<double>(random.integer(0, samples - 1)); }));
    made.outputs.push_back(bench.output(out, to));
    call_with(made, OpCode::batch_gather, BatchGatherParams{scale, shift});
    const size_t size = static_cast<size_t>(size_of(sample));
    made.checks = [=](const Case& ran) {
        return check_each(ran.outputs[0], [&](size_t i) {
            const size_t place = static_cast<size_t>(ran.inputs[1].values[i / size]);
            const double value = ran.inputs[0].values[place * size + i % size] * scale;
            return after_roundings(value + shift, std::fabs(value) + std::fabs(shift), to);
        });
    };
    return made;
}

// Each pixel next to the place, by how near it lies; zeros outside.
double bilinear(const Operand& images, int64_t plane, double x, double y) {
    const int64_t height = images.view.shape[2], width = images.view.shape[3];
    double value = 0;
    for (int64_t k = 0; k < 4; ++k) {
        const int64_t column = static_cast<int64_t>(std::floor(x)) + k % 2;
        const int64_t row = static_cast<int64_t>(std::floor(y)) + k / 2;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const double near_x = 1 - std::fabs(x - static_cast<double>(column));
        const double near_y = 1 - std::fabs(y - static_cast<double>(row));
        value +=
            near_x * near_y * images.values[static_cast<size_t>((plane * height + row) * width + column)];
    }
    return value;
}

// x [N, C, H, W], maps [N, 2, 3] -> bilinear samples at the mapped places, zeros outside
Case draw_affine_sample(Workbench& bench) {
    Random& random = bench.random();
    const Shape shape{random.integer(1, 3), random.integer(1, 4), random.integer(1, 20),
                      random.integer(1, 20)};
    const DType dtype = draw_float(random);
    Case made;
    made.inputs.push_back(bench.input(shape, dtype, Layout::any, [&] { return random.uniform(-2, 2); }));
    int64_t place = 0;
    made.inputs.push_back(
        bench.input({shape[0], 2, 3}, DType::float64, Layout::row_major, [&, place]() mutable {
            const bool diagonal = place % 6 == 0 || place % 6 == 4, moves = place % 3 == 2;
            ++place;
            return (diagonal ? 1.0 : 0.0) + random.uniform(-1, 1) * (moves ? 4 : 0.4);
        }));
    made.outputs.push_back(bench.output(shape, dtype));
    call_with(made, OpCode::affine_sample, NoParams{});
    made.checks = [=](const Case& ran) {
        const int64_t height = shape[2], width = shape[3];
        const double middle_x = static_cast<double>(width - 1) / 2,
                     middle_y = static_cast<double>(height - 1) / 2;
        return check_each(ran.outputs[0], [&](size_t i) {
            const size_t plane = i / static_cast<size_t>(height * width);
            const double* map = ran.inputs[1].values.data() + plane / static_cast<size_t>(shape[1]) * 6;
            const double dx = static_cast<double>(static_cast<int64_t>(i) % width) - middle_x;
            const double dy = static_cast<double>(static_cast<int64_t>(i) / width % height) - middle_y;
            const double x = map[0] * dx + map[1] * dy + map[2] + middle_x;
            const double y = map[3] * dx + map[4] * dy + map[5] + middle_y;
            const double value = bilinear(ran.inputs[0], static_cast<int64_t>(plane), x, y);
            Expected expected = after_roundings(value, std::fabs(value), dtype);
            expected.error += 1e-12;
            return expected;
        });
    };
    return made;
}

struct Taps {
    std::vector<double> index, weight;  // [outputs, count]
};

Taps draw_taps(Random& random, int64_t outputs, int64_t count, int64_t inputs) {
    Taps taps;
    for (int64_t o = 0; o < outputs; ++o) {
        const bool equal = random.chance(0.5);
        for (int64_t k = 0; k < count; ++k) {
            taps.index.push_back(
                static_cast<double>(random.chance(0.1) ? -1 : random.integer(0, inputs - 1)));
            taps.weight.push_back(equal ? 1.0 / 3 : random.uniform(-1, 1));
        }
    }
    return taps;
}

// x [N, C, H, W], taps of rows and of columns with their weights -> y [N, C, H', W']
Case draw_resample(Workbench& bench) {
    Random& random = bench.random();
    const Shape x{random.integer(1, 3), random.size(20), random.integer(1, 12), random.integer(1, 12)};
    const Shape y{x[0], x[1], random.integer(1, 12), random.integer(1, 12)};
    const int64_t counts[] = {random.integer(1, 3), random.integer(1, 3)};
    const DType dtype = draw_float(random);
    const Taps taps[] = {draw_taps(random, y[2], counts[0], x[2]), draw_taps(random, y[3], counts[1], x[3])};
    Case made;
    made.inputs.push_back(bench.input(x, dtype, Layout::any, [&] { return random.uniform(-2, 2); }));
    for (size_t axis = 0; axis < 2; ++axis) {
        const Shape shape{y[2 + axis], counts[axis]};
        made.inputs.push_back(bench.input(shape, DType::int32, Layout::row_major, taps[axis].index));
        made.inputs.push_back(bench.input(shape, DType::float64, Layout::row_major, taps[axis].weight));
    }
    made.outputs.push_back(bench.output(y, dtype, Layout::channels_last));
    call_with(made, OpCode::resample2d, NoParams{});
    made.checks = [x, y, taps_of_rows = taps[0], taps_of_columns = taps[1], rows = counts[0],
                   columns = counts[1]](const Case& ran) {
        return check_each(ran.outputs[0], [&](size_t i) {
            const size_t column = i % static_cast<size_t>(y[3]);
            const size_t row = i / static_cast<size_t>(y[3]) % static_cast<size_t>(y[2]);
            const size_t plane = i / static_cast<size_t>(y[3] * y[2]);
            Sum sum;
            for (int64_t k = 0; k < rows * columns; ++k) {
                const size_t r = row * static_cast<size_t>(rows) + static_cast<size_t>(k / columns);
                const size_t c = column * static_cast<size_t>(columns) + static_cast<size_t>(k % columns);
                if (taps_of_rows.index[r] < 0 || taps_of_columns.index[c] < 0) continue;
                const size_t from =
                    (plane * static_cast<size_t>(x[2]) + static_cast<size_t>(taps_of_rows.index[r])) *
                        static_cast<size_t>(x[3]) +
                    static_cast<size_t>(taps_of_columns.index[c]);
                sum.add(taps_of_rows.weight[r] * taps_of_columns.weight[c] * ran.inputs[0].values[from]);
            }
            sum.terms += 8;
            const DType out = ran.outputs[0].view.dtype;
            return sum.within(compute_of(out), out);
        });
    };
    return made;
}

}  // namespace

Case draw_batch(Workbench& bench) {
    switch (bench.random().integer(0, 7)) {
        case 0:
            return draw_fill(bench);
        case 1:
            return draw_range(bench);
        case 2:
            return draw_contiguous(bench);
        case 3:
            return draw_dropout(bench);
        case 4:
            return draw_random(bench);
        case 5:
            return draw_affine_sample(bench);
        case 6:
            return draw_resample(bench);
        default:
            return draw_batch_gather(bench);
    }
}

}  // namespace nativegrad::fuzz
