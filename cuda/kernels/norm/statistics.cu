// Statistics of channels and the factors that follow from them.
#include "kernels/norm/channels.h"
#include "kernels/reduce/fold_kernels.h"

namespace nativegrad::cuda {

namespace {

struct NormNumbers {
    double epsilon, momentum;
};

NormNumbers numbers_of(const BatchNormParams& params) {
    return {params.epsilon.values[0], params.momentum.values[0]};
}

struct StatisticsOperands {
    VectorIn weight, bias, mean, spread;  // the last two where they are given
    VectorOut to_mean, to_inverse, running_mean, running_variance;
    bool given, training, tracks;
    Live<NormNumbers> numbers;
    double rows;
};

// moments [C, pieces] or given ones -> mean, 1 / standard deviation [C] (, running ones), factors [3, C]; a
// warp per channel
template <class T>
__device__ __forceinline__ void norm_factors(const StatisticsOperands& of, const MomentState* moments,
                                             int64_t pieces, int64_t channels, T* factors) {
    const int64_t j = int64_t{block_index()} * warp_count() + warp_index();
    if (j >= channels) return;
    double mean, spread;
    if (of.given) {
        mean = of.mean.at<double>(j);
        spread = of.spread.at<double>(j);
    } else {
        const MomentFold<T> fold{0, false};
        MomentState state = fold.first();
        for (int64_t i = lane_index(); i < pieces; i += warp_size) fold.join(state, moments[j * pieces + i]);
        state = join_warp(fold, state);
        mean = state.mean;
        spread = state.squares < 0 ? 0.0 : state.squares;
    }
    if (lane_index() != 0) return;
    const NormNumbers numbers = of.numbers.get();
    const double variance = of.training ? spread / of.rows : spread;
    const double inverse = 1.0 / sqrt(variance + numbers.epsilon);
    factors[j] = static_cast<T>(mean);
    factors[channels + j] = static_cast<T>(inverse * of.weight.at<double>(j));
    factors[2 * channels + j] = of.bias.at<T>(j);
    of.to_mean.set(j, mean);
    of.to_inverse.set(j, inverse);
    if (!of.tracks) return;
    const double momentum = numbers.momentum;
    of.running_mean.set(j, (1 - momentum) * of.running_mean.get(j) + momentum * mean);
    of.running_variance.set(
        j, (1 - momentum) * of.running_variance.get(j) + momentum * (spread / (of.rows - 1)));
}

struct BackwardOperands {
    VectorIn mean, inverse, weight;
    VectorOut dweight, dbias;
    bool training;
    double rows;
};

// sums [C, pieces] -> dweight, dbias [C], factors [4, C]; a warp per channel
template <class T>
__device__ __forceinline__ void norm_backward_factors(const BackwardOperands& of, const ColumnSums* sums,
                                                      int64_t pieces, int64_t channels, T* factors) {
    const int64_t j = int64_t{block_index()} * warp_count() + warp_index();
    if (j >= channels) return;
    const ColumnSums total = join_columns(sums, j, pieces);
    if (lane_index() != 0) return;
    const double r = of.inverse.at<double>(j);
    of.dweight.set(j, total.product * r);
    of.dbias.set(j, total.sum);
    factors[j] = of.mean.at<T>(j);
    factors[channels + j] = static_cast<T>(of.training ? total.sum / of.rows : 0.0);
    factors[2 * channels + j] = static_cast<T>(of.training ? total.product * r * r / of.rows : 0.0);
    factors[3 * channels + j] = static_cast<T>(r * of.weight.at<double>(j));
}

Grid channel_grid(int64_t channels) { return {blocks_for(channels, fold_threads / warp_size), fold_threads}; }

IntList axes_beside_channels(const TensorView& x) {
    IntList axes{0, {}};
    for (int32_t axis = 0; axis < x.rank; ++axis) {
        if (axis != 1) axes.values[axes.count++] = axis;
    }
    return axes;
}

}  // namespace

template <class T>
void batch_statistics(const NormCall& norm, const TensorView& x, T* factors, Queue& queue) {
    if (norm.channels == 0) return;
    const TensorView *in = norm.call.inputs + 1, *out = norm.call.outputs + norm.results;
    const TensorView* given = in + (norm.affine ? 2 : 0);
    const VectorOut nowhere{nullptr, DType::float32, 0};
    const StatisticsOperands of{norm.affine ? VectorIn::of(in[0]) : VectorIn::all(1),
                                norm.affine ? VectorIn::of(in[1]) : VectorIn::all(0),
                                norm.given ? VectorIn::of(given[0]) : VectorIn::all(0),
                                norm.given ? VectorIn::of(given[1]) : VectorIn::all(0),
                                VectorOut::of(out[0]),
                                VectorOut::of(out[1]),
                                norm.tracks ? VectorOut::of(out[2]) : nowhere,
                                norm.tracks ? VectorOut::of(out[3]) : nowhere,
                                norm.given,
                                norm.training,
                                norm.tracks && norm.rows > 0,
                                queue.live(norm.params, &numbers_of),
                                static_cast<double>(norm.rows)};
    const ReducePlan plan = ReducePlan::of(x, axes_beside_channels(x), false);
    const FoldWay way = FoldWay::of<T>(x, plan);
    const int64_t pieces = norm.given ? 0 : way.shape.pieces;
    const Scratch moments(queue, static_cast<size_t>(norm.channels * pieces) * sizeof(MomentState));
    if (!norm.given)
        launch_fold<T>(way, plan, MomentFold<T>{0, false}, moments.as<MomentState>(), nullptr, x.dtype,
                       queue.stream());
    launch_batched<norm_factors<T>, unbounded>(channel_grid(norm.channels), queue.stream(), of,
                                               moments.as<MomentState>(), pieces, norm.channels, factors);
}

template <class T>
void backward_factors(const OpCall& call, int32_t vectors, const BatchNormParams& params, int64_t rows,
                      const ColumnSums* sums, const ColumnPieces& plan, T* factors, Queue& queue) {
    const TensorView* in = call.inputs + vectors;
    const BackwardOperands of{VectorIn::of(in[0]),
                              VectorIn::of(in[1]),
                              params.affine != 0 ? VectorIn::of(in[2]) : VectorIn::all(1),
                              VectorOut::of(call.outputs[1]),
                              VectorOut::of(call.outputs[2]),
                              params.training != 0,
                              static_cast<double>(rows)};
    launch_batched<norm_backward_factors<T>, unbounded>(channel_grid(plan.columns), queue.stream(), of, sums,
                                                        plan.pieces, plan.columns, factors);
}

#define NATIVEGRAD_STATISTICS(T)                                                               \
    template void batch_statistics<T>(const NormCall&, const TensorView&, T*, Queue&);         \
    template void backward_factors<T>(const OpCall&, int32_t, const BatchNormParams&, int64_t, \
                                      const ColumnSums*, const ColumnPieces&, T*, Queue&);
NATIVEGRAD_STATISTICS(float)
NATIVEGRAD_STATISTICS(double)
#undef NATIVEGRAD_STATISTICS

}  // namespace nativegrad::cuda
