#include "reached.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "cpu/kernel_table.h"

namespace nativegrad::fuzz {

namespace {

constexpr int sets = 3;
constexpr size_t most_kernels = 1024;

struct Count {
    std::atomic<uint64_t> runs{0}, by_workers{0};
    bool exists = false;
};

Count kernel_counts[sets][most_kernels];
std::vector<std::string> kernel_names;
std::atomic<uint64_t> worker_runs{0};
uint64_t worker_runs_before = 0;
int set_in_use = 0, sleeps_left = 0;
int64_t run_number = 0, last_run_of[most_kernels];  // that slept in the kernel
thread_local bool is_main_thread = false;

void let_others(size_t kernel) {
    if (sleeps_left == 0 || last_run_of[kernel] == run_number) return;
    last_run_of[kernel] = run_number;
    --sleeps_left;
    std::this_thread::sleep_for(std::chrono::microseconds(60));
}

void note(size_t kernel) {
    Count& count = kernel_counts[set_in_use][kernel];
    count.runs.fetch_add(1, std::memory_order_relaxed);
    if (is_main_thread) return let_others(kernel);
    count.by_workers.fetch_add(1, std::memory_order_relaxed);
    worker_runs.fetch_add(1, std::memory_order_relaxed);
}

// Stands in for the kernel that Access finds in the table, in an array at these indices.
template <class Access, size_t row, size_t column, class Function>
struct Counter;

template <class Access, size_t row, size_t column, class Result, class... Arguments>
struct Counter<Access, row, column, Result (*)(Arguments...)> {
    static inline Result (*kernel)(Arguments...) = nullptr;
    static inline size_t number = most_kernels;

    static Result run(Arguments... arguments) {
        note(number);
        return kernel(arguments...);
    }
    static void put_before(Result (*&entry)(Arguments...), const char* name, int rank) {
        if (entry == nullptr) return;
        if (number == most_kernels) {
            number = kernel_names.size();
            kernel_names.push_back(name);
            if (rank == 2) kernel_names.back() += "[" + std::to_string(row) + "]";
            if (rank >= 1) kernel_names.back() += "[" + std::to_string(column) + "]";
        }
        kernel_counts[set_in_use][number].exists = true;
        kernel = entry;
        entry = run;
    }
};

template <class Access, size_t row, class Function, size_t... columns>
void put_before_row(Function* entries, const char* name, int rank, std::index_sequence<columns...>) {
    (Counter<Access, row, columns, Function>::put_before(entries[columns], name, rank), ...);
}

template <class Access, class Function, size_t width, size_t... rows>
void put_before_rows(Function (*entries)[width], const char* name, std::index_sequence<rows...>) {
    (put_before_row<Access, rows>(entries[rows], name, 2, std::make_index_sequence<width>()), ...);
}

template <class Access>
void put_before(cpu::KernelTable& table, const char* name, const Access& access) {
    auto& entry = access(table);
    using Entry = std::remove_reference_t<decltype(entry)>;
    if constexpr (std::rank_v<Entry> == 2) {
        put_before_rows<Access>(entry, name, std::make_index_sequence<std::extent_v<Entry>>());
    } else if constexpr (std::rank_v<Entry> == 1) {
        put_before_row<Access, 0>(entry, name, 1, std::make_index_sequence<std::extent_v<Entry>>());
    } else {
        Counter<Access, 0, 0, Entry>::put_before(entry, name, 0);
    }
}

#define KERNEL(path) \
    put_before(      \
        table, #path, [](cpu::KernelTable & whole) -> auto& { return whole.path; })

// A kernel without a counter would go unseen.
constexpr size_t pointer = sizeof(void*);
static_assert(sizeof(cpu::ConvertKernels) == 5 * pointer);
static_assert(sizeof(cpu::ReduceKernels) == 9 * pointer);
static_assert(sizeof(cpu::SoftmaxKernels) == 7 * pointer);
static_assert(sizeof(cpu::WinogradKernels) == 3 * pointer);
static_assert(sizeof(cpu::DepthwiseKernels) == 2 * pointer);
static_assert(sizeof(cpu::NormKernels) == 9 * pointer);
static_assert(sizeof(cpu::PoolKernels) == 2 * pointer);
static_assert(sizeof(cpu::OptimizerKernels) == 4 * pointer);
static_assert(sizeof(cpu::ElementwiseKernels<float>) == sizeof(cpu::ElementwiseKernels<float>::unary) +
                                                            sizeof(cpu::ElementwiseKernels<float>::binary) +
                                                            sizeof(cpu::ElementwiseKernels<float>::compare));
// Beside their kernels these hold numbers, each as wide as a pointer with what fills it up.
static_assert(sizeof(cpu::GemmKernels<float>) == sizeof(cpu::GemmKernels<float>::micro) + (2 + 7) * pointer);
static_assert(sizeof(cpu::GemmBf16Kernels) == sizeof(cpu::GemmBf16Kernels::micro) + (1 + 6) * pointer);
static_assert(sizeof(cpu::ConvMicroKernel<float>) ==
              sizeof(cpu::ConvMicroKernel<float>::of_rows) + 2 * pointer);
static_assert(sizeof(cpu::ConvKernels) == 2 * sizeof(cpu::ConvMicroKernel<float>) +
                                              sizeof(cpu::WinogradKernels) + sizeof(cpu::DepthwiseKernels) +
                                              1 * pointer);
static_assert(sizeof(cpu::ConvBf16Kernels) == sizeof(cpu::ConvBf16Kernels::run) + (1 + 1) * pointer);

void put_before_elementwise(cpu::KernelTable& table) {
    KERNEL(elementwise_f32.unary);
    KERNEL(elementwise_f32.binary);
    KERNEL(elementwise_f32.compare);
    KERNEL(elementwise_f64.unary);
    KERNEL(elementwise_f64.binary);
    KERNEL(elementwise_f64.compare);
    KERNEL(elementwise_i64.unary);
    KERNEL(elementwise_i64.binary);
    KERNEL(elementwise_i64.compare);
    KERNEL(convert.f16_to_f32);
    KERNEL(convert.f32_to_f16);
    KERNEL(convert.bf16_to_f32);
    KERNEL(convert.f32_to_bf16);
    KERNEL(convert.u8_to_f32);
}

void put_before_rows_of_numbers(cpu::KernelTable& table) {
    KERNEL(reduce.sum);
    KERNEL(reduce.sum_of_squares);
    KERNEL(reduce.max);
    KERNEL(reduce.min);
    KERNEL(reduce.add_rows);
    KERNEL(reduce.add_rows_wide);
    KERNEL(reduce.add_square_rows);
    KERNEL(reduce.max_rows);
    KERNEL(reduce.min_rows);
    KERNEL(softmax.exp_sum);
    KERNEL(softmax.rows);
    KERNEL(softmax.rows_backward);
    KERNEL(softmax.columns);
    KERNEL(softmax.columns_backward);
    KERNEL(softmax.cross_entropy);
    KERNEL(softmax.cross_entropy_backward);
    KERNEL(optimizer.adam);
    KERNEL(optimizer.sgd);
    KERNEL(optimizer.rmsprop);
    KERNEL(optimizer.adam_product);
}

void put_before_products(cpu::KernelTable& table) {
    KERNEL(gemm_f32.micro);
    KERNEL(gemm_f32.transpose);
    KERNEL(gemm_f32.pack_lanes);
    KERNEL(gemm_f64.micro);
    KERNEL(gemm_f64.transpose);
    KERNEL(gemm_f64.pack_lanes);
    KERNEL(gemm_bf16.micro);
    KERNEL(gemm_bf16.pack_pairs);
}

void put_before_images(cpu::KernelTable& table) {
    KERNEL(conv.f32.of_rows);
    KERNEL(conv.f64.of_rows);
    KERNEL(conv.few_taps);
    KERNEL(conv.winograd.image);
    KERNEL(conv.winograd.output);
    KERNEL(conv.winograd.gradient);
    KERNEL(conv.depthwise.forward);
    KERNEL(conv.depthwise.gradient);
    KERNEL(conv_bf16.run);
    KERNEL(conv_bf16.few_taps);
    KERNEL(norm.column_moments);
    KERNEL(norm.column_products);
    KERNEL(norm.normalize_columns);
    KERNEL(norm.normalize_columns_backward);
    KERNEL(norm.normalize_pool);
    KERNEL(norm.pool_products);
    KERNEL(norm.normalize_pool_backward);
    KERNEL(norm.normalize_rows);
    KERNEL(norm.normalize_rows_backward);
    KERNEL(pool.max);
    KERNEL(pool.max_backward);
}

#undef KERNEL

constexpr int op_count = 0
#define X(name, params, layout) +1
#include "ops/op_table.def"
#undef X
    ;

#define X(name, text) text,
const char* const way_names[] = {FUZZ_WAYS(X)};
#undef X

Count op_counts[sets][op_count], way_counts[sets][std::size(way_names)];

void print(int set, const Count& count, const std::string& name) {
    std::printf("reached %s %llu %llu %s\n", cpu::instruction_set_name(static_cast<cpu::InstructionSet>(set)),
                static_cast<unsigned long long>(count.runs),
                static_cast<unsigned long long>(count.by_workers), name.c_str());
}

}  // namespace

void begin_counting() { is_main_thread = true; }

void count_kernels() {
    // The table lies in memory of its own, which use_instruction_set fills anew.
    auto& table = const_cast<cpu::KernelTable&>(cpu::kernels());
    set_in_use = static_cast<int>(table.instruction_set);
    put_before_elementwise(table);
    put_before_rows_of_numbers(table);
    put_before_products(table);
    put_before_images(table);
}

void begin_run(bool lets_others) {
    constexpr int sleeps = 6;
    ++run_number;
    sleeps_left = lets_others ? sleeps : 0;
}

void count_run(OpCode op, const std::vector<Way>& ways) {
    const bool shared = worker_runs > worker_runs_before;
    worker_runs_before = worker_runs;
    const auto add = [&](Count& count) {
        count.runs += 1;
        if (shared) count.by_workers += 1;
    };
    add(op_counts[set_in_use][static_cast<int>(op)]);
    for (const Way way : ways) add(way_counts[set_in_use][static_cast<int>(way)]);
}

void print_reached() {
    for (int set = 0; set <= static_cast<int>(cpu::best_instruction_set()); ++set) {
        for (size_t i = 0; i < kernel_names.size(); ++i) {
            if (kernel_counts[set][i].exists) print(set, kernel_counts[set][i], kernel_names[i]);
        }
        for (int i = 0; i < op_count; ++i)
            print(set, op_counts[set][i], std::string("op: ") + op_name(static_cast<OpCode>(i)));
        for (size_t i = 0; i < std::size(way_names); ++i) print(set, way_counts[set][i], way_names[i]);
    }
}

}  // namespace nativegrad::fuzz
