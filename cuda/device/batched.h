// launch_batched<body>(grid, stream, arguments...): as launch<kernel>, for a kernel that the steps of several
// models run in one launch. `body` is a __device__ __forceinline__ function: alone it gets its arguments as a
// kernel does, for several models from a list in memory of the device, by the model that z of its block
// names.
//
// A body takes structs by const reference: a copy that is indexed would be local memory. Its z goes from 0 to
// block_count_z() of all models: one that uses z (products of a batch) is told its own count, and takes
// block_index_z() modulo that.
#pragma once

#include "device/index.h"
#include "device/launch.h"
#include "runtime/launch_notes.h"

namespace nativegrad::cuda {

// Instead of a number of threads: up to 256, which the compiler is not told of for one model, where it would
// unroll more and take more registers.
constexpr int unbounded = 0;

namespace detail {

// Throws: launch_batched was told of fewer threads.
[[noreturn]] void fail_threads(const std::string& kernel, int threads, int most);

// Arguments one after the other, as both sides lay them out.
template <class... Parameters>
struct ArgumentList;

template <>
struct ArgumentList<> {
#ifdef NATIVEGRAD_KERNEL_CODE
    template <auto body, class... Done>
    __device__ __forceinline__ void call(const Done&... done) const {
        body(done...);
    }
#endif
};

template <class First, class... Rest>
struct ArgumentList<First, Rest...> {
    static_assert(std::is_trivially_copyable_v<First>, "it travels as bytes");
    First first;
    ArgumentList<Rest...> rest;
#ifdef NATIVEGRAD_KERNEL_CODE
    template <auto body, class... Done>
    __device__ __forceinline__ void call(const Done&... done) const {
        rest.template call<body>(done..., first);
    }
#endif
};

inline ArgumentList<> list_of() { return {}; }
template <class First, class... Rest>
ArgumentList<First, Rest...> list_of(const First& first, const Rest&... rest) {
    return {first, list_of(rest...)};
}

#ifdef NATIVEGRAD_KERNEL_CODE

// what the body says, of one model
template <auto body, int threads, int blocks, class... Parameters>
__global__ void __launch_bounds__(threads, blocks) one_model(Parameters... parameters) {
    body(parameters...);
}
template <auto body, class... Parameters>
__global__ void one_model_unbounded(Parameters... parameters) {
    body(parameters...);
}

// list [models]: what the body says, blocks_z planes of blocks a model
template <auto body, int threads, int blocks, class... Parameters>
__global__ void __launch_bounds__(threads, blocks)
    each_model(const ArgumentList<Parameters...>* __restrict__ list, int32_t blocks_z) {
    list[block_index_z() / blocks_z].template call<body>();
}

template <auto body, int threads, int blocks, class... Parameters>
struct OneModel {
    static constexpr auto kernel = &one_model<body, threads, blocks, Parameters...>;
};
template <auto body, int blocks, class... Parameters>
struct OneModel<body, unbounded, blocks, Parameters...> {
    static constexpr auto kernel = &one_model_unbounded<body, Parameters...>;
};

template <auto body, int threads, int blocks, int blocks_of_several, class... Parameters>
struct Batched {
    static constexpr int most_threads = threads == unbounded ? 256 : threads;
    using List = ArgumentList<Parameters...>;
    static constexpr auto alone = OneModel<body, threads, blocks, Parameters...>::kernel;
    static constexpr auto several = &each_model<body, most_threads, blocks_of_several, Parameters...>;

    // Their code is another than that of one model.
    static const std::string& name_of_several() {
        static const std::string& name = *new std::string(static_name<body>() + " of several models");
        return name;
    }

    static const BatchedKernel& kernel() {
        static const BatchedKernel instance = {
            &name_of_several, sizeof(List),
            [](const Grid& grid) { with_room([&] { load_kernel<several>(name_of_several(), grid); }); },
            [](const Grid& grid, Stream stream, const void* list, int32_t blocks_z) {
                with_room([&] {
                    launch_typed<several>(several, name_of_several(), grid, stream,
                                          {static_cast<const List*>(list), blocks_z});
                });
            }};
        return instance;
    }

    static void launch(const Grid& grid, Stream stream, const std::tuple<Parameters...>& arguments) {
        if (grid.threads > most_threads) fail_threads(static_name<body>(), grid.threads, most_threads);
        const auto run = [grid, arguments](Stream on) {
            with_room([&] { launch_typed<alone>(alone, static_name<body>(), grid, on, arguments); });
        };
        LaunchNotes* const notes = LaunchNotes::of(stream);
        if (notes == nullptr) return run(stream);
        const List list = std::apply([](const auto&... values) { return list_of(values...); }, arguments);
        const char* const bytes = reinterpret_cast<const char*>(&list);
        notes->list.push_back(
            {static_name<body>().c_str(), &kernel(), grid, {bytes, bytes + sizeof list}, run});
    }
};

template <auto body, int threads, int blocks, int blocks_of_several, class... Parameters>
Batched<body, threads, blocks, blocks_of_several, std::decay_t<Parameters>...> batched_of(
    void (*)(Parameters...));

#endif

}  // namespace detail

#ifdef NATIVEGRAD_KERNEL_CODE
// threads, blocks: as of __launch_bounds__.
template <auto body, int threads = 256, int blocks = 1, int blocks_of_several = blocks, class... Arguments>
void launch_batched(const Grid& grid, Stream stream, Arguments&&... arguments) {
    decltype(detail::batched_of<body, threads, blocks, blocks_of_several>(body))::launch(grid, stream,
                                                                                         {arguments...});
}
#endif

}  // namespace nativegrad::cuda
