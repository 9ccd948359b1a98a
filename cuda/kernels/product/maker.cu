#include "kernels/product/maker.h"

#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "backend/error.h"
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

using Key = std::array<int64_t, 23>;

// Whether the product comes to the same end however often it runs.
bool may_repeat(const TiledProduct& product) {
    const auto keeps = [](const Finish& finish) {
        return finish.kind != FinishKind::adam && finish.kind != FinishKind::sgd &&
               (finish.other == nullptr || finish.other != finish.out);
    };
    return keeps(product.finish) && (product.row_sums == nullptr || keeps(*product.row_sums));
}

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
            product.row_sums != nullptr,
            may_repeat(product)};
}

std::string text_of(const Key& key) {
    std::string text = choice_place() + " maker";
    // The device's number says nothing to another process.
    for (size_t i = 1; i < key.size(); ++i) text += " " + std::to_string(key[i]);
    return text;
}

// Empty where the device has no room to find out.
std::optional<bool> library_is_faster(const TiledProduct& product, Queue& queue) try {
    bool ignored = false;
    // First what chooses an algorithm of its own, by time.
    if (!multiply_by_library(product, queue, ignored)) return false;
    const double library =
        milliseconds_of(queue.stream(), [&] { multiply_by_library(product, queue, ignored); });
    const double own = milliseconds_of(queue.stream(), [&] { multiply_by_own_kernels(product, queue); });
    return library < own;
} catch (const Error& error) {
    if (error.status != Status::out_of_memory) throw;
    return std::nullopt;
}

class Makers {
  public:
    std::optional<bool> library(const Key& key) {
        const std::lock_guard lock(mutex_);
        const auto known = library_.find(key);
        if (known == library_.end()) return std::nullopt;
        return known->second;
    }
    // The first answer stays: bits may not change within a process.
    bool choose(const Key& key, bool library) {
        const std::lock_guard lock(mutex_);
        return place_of(key, library);
    }
    void keep_to_own_kernels(const Key& key) {
        const std::lock_guard lock(mutex_);
        place_of(key, false) = false;
    }

  private:
    bool& place_of(const Key& key, bool library) {
        // Shapes without end must not fill the memory.
        constexpr size_t most = 4096;
        if (library_.size() >= most) library_.clear();
        return library_.emplace(key, library).first->second;
    }
    std::mutex mutex_;
    std::map<Key, bool> library_;
};

// Never destroyed: threads may multiply while the process ends.
Makers& makers() {
    static Makers* const instance = new Makers;
    return *instance;
}

// By time, measured at the first call of a shape and kept; by the product's size where nothing may be timed:
// in deterministic mode, for products that change what they read, at a first call while the stream captures.
bool goes_to_library(const TiledProduct& product, Queue& queue) {
    const bool is_large = work_of(product) >= least_work;
    const bool is_timed =
        !is_deterministic() && can_time_products() && work_of(product) >= least_timed && may_repeat(product);
    // The library is opened at the first product that may need it.
    if (!is_large && !is_timed) return false;
    if (!library_takes(product)) return false;
    if (is_deterministic()) return is_large;
    const Key key = key_of(product, queue);
    if (const std::optional<bool> library = makers().library(key)) return *library;
    if (!is_timed) return is_large;
    const std::string text = text_of(key);
    const std::optional<std::string> known = known_choice(text);
    bool chosen = is_large;
    if (known.has_value()) {
        chosen = *known == "library";
    } else if (!is_capturing(queue.stream())) {
        const std::optional<bool> is_faster = library_is_faster(product, queue);
        chosen = is_faster.value_or(false);
        if (is_faster.has_value()) keep_choice(text, chosen ? "library" : "own");
    }
    return makers().choose(key, chosen);
}

}  // namespace

bool is_made_by_library(const TiledProduct& product, Queue& queue, bool& has_row_sums) {
    if (!goes_to_library(product, queue)) return false;
    try {
        return multiply_by_library(product, queue, has_row_sums);
    } catch (const Error& error) {
        if (error.status != Status::out_of_memory || is_deterministic()) throw;
        // Also when there is room again: a step is recorded as the step before it was, with its work memory.
        makers().keep_to_own_kernels(key_of(product, queue));
        return false;
    }
}

}  // namespace nativegrad::cuda
