#include "kernels/product/maker.h"

#include <array>
#include <map>
#include <mutex>

#include "gemm/choices.h"
#include "kernels/product/library_product.h"
#include "kernels/product/own_product.h"

namespace nativegrad::cuda {

namespace {

// Multiplications from which on the library's larger tiles are worth its call, where nobody has measured; and
// from which on opening and measuring it is worth its time: below, the launch is all.
constexpr double least_work = 1 << 28, least_timed = 1 << 24;

double work_of(const TiledProduct& product) {
    return static_cast<double>(product.m) * static_cast<double>(product.n) * static_cast<double>(product.k) *
           static_cast<double>(product.batches.count());
}

using Key = std::array<int64_t, 22>;

int64_t alignment(const void* data) { return static_cast<int64_t>(reinterpret_cast<uintptr_t>(data) % 16); }

Key key_of(const TiledProduct& product, const Queue& queue) {
    const StridedOperand &a = product.a, &b = product.b;
    const Finish& finish = product.finish;
    return {queue.ordinal(),
            product.m,
            product.n,
            product.k,
            product.batches.count(),
            static_cast<int64_t>(a.dtype),
            static_cast<int64_t>(b.dtype),
            a.row_stride,
            a.depth_stride,
            b.row_stride,
            b.depth_stride,
            product.batches.strides[0][0],
            product.batches.strides[1][0],
            product.batches.strides[2][0],
            alignment(a.data) * 256 + alignment(b.data) * 16 + alignment(finish.out),
            static_cast<int64_t>(finish.dtype),
            static_cast<int64_t>(finish.rounds),
            finish.row_stride,
            static_cast<int64_t>(finish.kind),
            finish.sums != nullptr,
            finish.has_bias ? 1 + static_cast<int64_t>(finish.bias.dtype) : 0,
            product.row_sums != nullptr};
}

std::string text_of(const Key& key) {
    std::string text = choice_place() + " maker";
    // The device's number says nothing to another process.
    for (size_t i = 1; i < key.size(); ++i) text += " " + std::to_string(key[i]);
    return text;
}

// Whether the product comes to the same end however often it runs.
bool may_repeat(const TiledProduct& product) {
    const auto keeps = [](const Finish& finish) {
        return finish.kind != FinishKind::adam && finish.kind != FinishKind::sgd &&
               (finish.other == nullptr || finish.other != finish.out);
    };
    return keeps(product.finish) && (product.row_sums == nullptr || keeps(*product.row_sums));
}

bool library_is_faster(const TiledProduct& product, Queue& queue) {
    bool ignored = false;
    // First what chooses an algorithm of its own, by time.
    if (!multiply_by_library(product, queue, ignored)) return false;
    const double library =
        milliseconds_of(queue.stream(), [&] { multiply_by_library(product, queue, ignored); });
    const double own = milliseconds_of(queue.stream(), [&] { multiply_by_own_kernels(product, queue); });
    return library < own;
}

// Never destroyed: threads may multiply while the process ends.
struct Makers {
    std::mutex mutex;
    std::map<Key, bool> library;
};
Makers& makers() {
    static Makers* const instance = new Makers;
    return *instance;
}
// Shapes without end must not fill the memory.
constexpr size_t most_makers = 4096;

}  // namespace

bool goes_to_library(const TiledProduct& product, Queue& queue) {
    const bool is_large = work_of(product) >= least_work;
    const bool is_timed =
        !is_deterministic() && can_time_products() && work_of(product) >= least_timed && may_repeat(product);
    // The library is opened at the first product that may need it.
    if (!is_large && !is_timed) return false;
    if (!library_takes(product)) return false;
    if (!is_timed) return is_large;
    const Key key = key_of(product, queue);
    Makers& all = makers();
    {
        const std::lock_guard lock(all.mutex);
        const auto known = all.library.find(key);
        if (known != all.library.end()) return known->second;
    }
    const std::string text = text_of(key);
    const std::optional<std::string> known = known_choice(text);
    bool chosen = is_large;
    if (known.has_value()) {
        chosen = *known == "library";
    } else if (!is_capturing(queue.stream())) {
        chosen = library_is_faster(product, queue);
        keep_choice(text, chosen ? "library" : "own");
    }
    const std::lock_guard lock(all.mutex);
    if (all.library.size() >= most_makers) all.library.clear();
    // The first answer stays: bits may not change within a process.
    return all.library.emplace(key, chosen).first->second;
}

}  // namespace nativegrad::cuda
