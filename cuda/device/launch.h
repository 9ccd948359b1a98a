// launch<kernel>(grid, stream, arguments...): the one way in which kernels start, on a GPU and in the
// simulator. Arguments are converted to the kernel's own parameter types first.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "device/grid.h"
#include "device/platform.h"
#include "runtime/launch_notes.h"
#include "runtime/room.h"
#include "runtime/runtime.h"

#ifndef NATIVEGRAD_SIM
#include <cuda_runtime_api.h>

#include <atomic>
#endif

namespace nativegrad::cuda {

namespace detail {

// "softmax_rows<float>" out of the compiler's name for this function.
template <auto kernel>
std::string kernel_name() {
    std::string text = __PRETTY_FUNCTION__;
    const size_t equals = text.find("kernel = ");
    if (equals == std::string::npos) return text;
    text = text.substr(equals + 9);
    // GCC writes "kernel = f<float>; std::string = ...", others close with a bracket.
    const size_t end = text.find_first_of(";]");
    if (end != std::string::npos) text.resize(end);
    // The name alone: what stands before the last :: outside of the template's arguments goes.
    const size_t arguments = text.find('<');
    const size_t colons = text.rfind("::", arguments == std::string::npos ? arguments : arguments - 1);
    if (colons != std::string::npos) text.erase(0, colons + 2);
    for (const char* name_space : {"cuda::", "nativegrad::"}) {
        for (size_t at; (at = text.find(name_space)) != std::string::npos;)
            text.erase(at, std::string(name_space).size());
    }
    return text;
}

// Throws where no GPU could run the grid.
void check_grid(const std::string& kernel, const Grid& grid);

}  // namespace detail

#ifdef NATIVEGRAD_SIM

namespace sim {

// A kernel with its arguments, as often as a graph replays it.
struct KernelCall {
    std::string kernel;
    Grid grid;
    std::shared_ptr<const void> parameters;
    size_t parameter_bytes;
    void (*run_lane)(const void* parameters);
};
void enqueue(const KernelCall& call, Stream stream);
// As the driver does at the first launch; where the setup gives kernels a size, it needs that much memory.
void load_code(const std::string& kernel);

}  // namespace sim

namespace detail {

template <auto kernel, class... Parameters>
void launch_typed(void (*)(Parameters...), const std::string& name, const Grid& grid, Stream stream,
                  std::tuple<Parameters...> arguments) {
    using Tuple = std::tuple<Parameters...>;
    sim::enqueue({name, grid, std::make_shared<const Tuple>(std::move(arguments)), sizeof(Tuple),
                  [](const void* parameters) { std::apply(kernel, *static_cast<const Tuple*>(parameters)); }},
                 stream);
}

// Has the kernel's code loaded.
template <auto kernel>
void load_kernel(const std::string& name, const Grid&) {
    sim::load_code(name);
}

}  // namespace detail

#else

namespace detail {

// Throws when status is not cudaSuccess, with the kernel's name.
void check_launch(int status, const std::string& kernel);
// Raises the kernel's limit of dynamic shared memory on the current device where `bytes` needs it.
void allow_shared_bytes(const void* kernel, size_t bytes, std::atomic<size_t>* allowed_per_device,
                        const std::string& name);
// Has the code of a kernel loaded on the current device.
void load_code(const void* kernel, const std::string& name);

template <auto kernel>
const void* prepared(const std::string& name, const Grid& grid) {
    static std::atomic<size_t> allowed[max_devices];
    check_grid(name, grid);
    const void* address = reinterpret_cast<const void*>(kernel);
    if (grid.shared_bytes > 48 * 1024) allow_shared_bytes(address, grid.shared_bytes, allowed, name);
    return address;
}

template <auto kernel>
void load_kernel(const std::string& name, const Grid& grid) {
    load_code(prepared<kernel>(name, grid), name);
}

template <auto kernel, class... Parameters>
void launch_typed(void (*)(Parameters...), const std::string& name, const Grid& grid, Stream stream,
                  std::tuple<Parameters...> arguments) {
    const void* const address = prepared<kernel>(name, grid);
    std::apply(
        [&](auto&... values) {
            // One more than needed: a kernel may have no parameters.
            void* pointers[] = {&values..., nullptr};
            const dim3 blocks(static_cast<unsigned>(grid.blocks.x), static_cast<unsigned>(grid.blocks.y),
                              static_cast<unsigned>(grid.blocks.z));
            check_launch(
                cudaLaunchKernel(address, blocks, dim3(static_cast<unsigned>(grid.threads)), pointers,
                                 grid.shared_bytes, static_cast<cudaStream_t>(stream.handle)),
                name);
        },
        arguments);
}

}  // namespace detail

#endif

namespace detail {

// Never destroyed: threads may launch while the process ends.
template <auto kernel>
const std::string& static_name() {
    static const std::string& name = *new std::string(kernel_name<kernel>());
    return name;
}

template <auto kernel, class... Parameters>
void launch_or_note(void (*of)(Parameters...), const Grid& grid, Stream stream,
                    const std::tuple<Parameters...>& arguments) {
    const auto run = [of, grid, arguments](Stream on) {
        with_room([&] { launch_typed<kernel>(of, static_name<kernel>(), grid, on, arguments); });
    };
    if (!note_alone(static_name<kernel>().c_str(), stream, run)) run(stream);
}

}  // namespace detail

template <auto kernel, class... Arguments>
void launch(const Grid& grid, Stream stream, Arguments&&... arguments) {
    detail::launch_or_note<kernel>(kernel, grid, stream, {arguments...});
}

}  // namespace nativegrad::cuda
