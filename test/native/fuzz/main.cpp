// Random calls of every family of ops, on each instruction set of this machine, against float64.
//
// kernel_fuzz --seed S --cases N [--first I] [--every K]   cases I, I + K, I + 2 K, ... below I + N
//
// Prints a line for each family, how many cases were left out as too large, what was reached, and what failed
// and how to run it alone. Exit status 1 where a case failed.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

#include <cmath>

#include "backend/error.h"
#include "case.h"
#include "cpu/features.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "reached.h"

namespace nativegrad::fuzz {

const std::vector<Family> families = {
    {"products", draw_product, 0.1, 0.02},
    {"fused linear", draw_linear_fused, 0.08, 0.04},
    {"convolutions", draw_convolution, 0.12, 0.06},
    {"pools", draw_pool, 0.07, 0.02},
    {"batch norm", draw_batch_norm, 0.09, 0.04},
    {"layer norm", draw_layer_norm, 0.06, 0.02},
    {"softmax", draw_softmax, 0.08, 0.06},
    {"cross entropy", draw_cross_entropy, 0.06, 0.02},
    {"label mean", draw_label_mean, 0.01, 0.1},
    {"reductions", draw_reduction, 0.08, 0.05},
    {"elementwise", draw_elementwise, 0.07, 0.06},
    {"chains", draw_chain, 0.03, 0.05},
    {"copies", draw_copy, 0.03, 0.01},
    {"moves", draw_move, 0.03, 0.05},
    {"batches", draw_batch, 0.03, 0.15},
    {"optimizers", draw_optimizer, 0.04, 0.04},
    {"loss scaling", draw_loss_scaling, 0.02, 0.05},
};

namespace {

// What to say where a case ends in a signal; written before each run.
char running[1024] = "";

void say_and_stop(int signal) {
    const char* const what = signal == SIGSEGV || signal == SIGBUS ? "touched memory that is not its own\n"
                                                                   : "ended in a signal\n";
    (void)!write(STDOUT_FILENO, running, std::strlen(running));
    (void)!write(STDOUT_FILENO, what, std::strlen(what));
    _exit(1);
}

bool agrees(double actual, const Expected& expected, bool any_special) {
    if (std::isnan(expected.value)) return any_special ? !std::isfinite(actual) : std::isnan(actual);
    if (std::isinf(expected.value)) return any_special ? !std::isfinite(actual) : actual == expected.value;
    if (std::isnan(expected.error) || std::isinf(expected.error)) return true;
    return std::fabs(actual - expected.value) <= expected.error;
}

std::string mismatch(const Check& check) {
    for (size_t i = 0; i < check.expected.size(); ++i) {
        const double actual = check.output->read(static_cast<int64_t>(i));
        const Expected& expected = check.expected[i];
        if (agrees(actual, expected, check.any_special)) continue;
        char text[200];
        std::snprintf(text, sizeof text, "%s[%zu] is %.9g, expected %.9g within %.3g", check.name.c_str(), i,
                      actual, expected.value, expected.error);
        return text;
    }
    return "";
}

std::string failure_of(const Case& made, const std::vector<Check>& checks) {
    for (size_t i = 0; i < made.inputs.size(); ++i) {
        const std::string damage = made.inputs[i].damage("input " + std::to_string(i));
        if (!damage.empty()) return damage;
    }
    for (size_t i = 0; i < made.outputs.size(); ++i) {
        const std::string damage = made.outputs[i].damage("output " + std::to_string(i));
        if (!damage.empty()) return damage;
    }
    for (const Check& check : checks) {
        const std::string wrong = mismatch(check);
        if (!wrong.empty()) return wrong;
    }
    return "";
}

std::string describe(const Case& made) {
    std::string text = op_name(made.op);
    for (const auto* operands : {&made.inputs, &made.outputs}) {
        text += operands == &made.inputs ? " " : " -> ";
        for (const Operand& operand : *operands) {
            const TensorView& view = operand.view;
            text += std::string(dtype_name(view.dtype)) + text_of({view.shape, view.shape + view.rank}) +
                    "/" + text_of({view.strides, view.strides + view.rank}) + " ";
        }
    }
    return text + made.text;
}

struct Options {
    uint64_t seed = 1;
    int64_t first = 0, cases = 1000, every = 1;
};

Options read_options(int count, char** words) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = words[i];
        const long long value = std::atoll(words[i + 1]);
        if (name == "--seed") options.seed = static_cast<uint64_t>(value);
        if (name == "--first") options.first = value;
        if (name == "--cases") options.cases = value;
        if (name == "--every") options.every = value;
    }
    return options;
}

size_t choose_family(Random& random) {
    double rest = random.uniform();
    for (size_t i = 0; i < families.size(); ++i) {
        if (rest < families[i].share) return i;
        rest -= families[i].share;
    }
    return 0;
}

enum class Outcome { passed, failed, left_out };

// Two and three threads now and then, the same for a stretch of cases: workers are started anew each time.
// Small work is not divided, so large cases mostly have several.
void use_threads(int64_t index, Workbench& bench) {
    constexpr int64_t stretch = 512;
    const int32_t counts[] = {1, 1, 1, 2, 1, 1, 1, 3};
    cpu::ThreadOptions threads{};
    threads.count = bench.large() ? bench.random().pick({1, 2, 2, 3, 3, 3}) : counts[index / stretch % 8];
    if (cpu::thread_count() != threads.count) cpu::set_thread_options(threads);
}

// Runs a case on the instruction set in use and says what was wrong.
std::string failure_on(const Case& made, const std::vector<Check>& checks, bool lets_others) {
    std::vector<TensorView> inputs, outputs;
    for (const Operand& operand : made.inputs) inputs.push_back(operand.view);
    for (const Operand& operand : made.outputs) {
        operand.restore();
        outputs.push_back(operand.view);
    }
    begin_run(lets_others);
    try {
        made.call({1, static_cast<int32_t>(inputs.size()), static_cast<int32_t>(outputs.size()),
                   inputs.data(), outputs.data(), nullptr});
        count_run(made.op, made.ways);
        return failure_of(made, checks);
    } catch (const std::exception& error) {
        return error.what();
    }
}

// The same case for each instruction set. Left out where an operand of the drawn shapes does not fit between
// the guard pages.
Outcome run_case(const Options& options, int64_t index, size_t& family) {
    Random random(options.seed * 0x2545f4914f6cdd1du + static_cast<uint64_t>(index));
    random.bits();
    family = choose_family(random);
    Workbench bench(random, random.chance(families[family].large));
    use_threads(index, bench);
    std::optional<Case> drawn;
    try {
        drawn = families[family].draw(bench);
    } catch (const std::length_error&) {
        return Outcome::left_out;
    }
    const Case& made = *drawn;
    const std::vector<Check> checks = made.checks(made);
    for (int set = 0; set <= static_cast<int>(cpu::best_instruction_set()); ++set) {
        cpu::use_instruction_set(static_cast<cpu::InstructionSet>(set));
        count_kernels();
        std::snprintf(running, sizeof running, "FAILED --seed %llu --first %lld --cases 1, %s, %s: %s\n  ",
                      static_cast<unsigned long long>(options.seed), static_cast<long long>(index),
                      families[family].name, cpu::instruction_set_name(static_cast<cpu::InstructionSet>(set)),
                      describe(made).c_str());
        const std::string failure = failure_on(made, checks, bench.large() && cpu::thread_count() > 1);
        if (failure.empty()) continue;
        std::printf("%s%s\n", running, failure.c_str());
        std::fflush(stdout);  // a later case may end the process
        return Outcome::failed;
    }
    return Outcome::passed;
}

}  // namespace

int run(int count, char** words) {
    const Options options = read_options(count, words);
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) std::signal(signal, say_and_stop);
    begin_counting();
    std::vector<int64_t> passed(families.size());
    int64_t failed = 0, left_out = 0;
    for (int64_t index = options.first; index < options.first + options.cases && failed < 10;
         index += options.every) {
        size_t family = 0;
        const Outcome outcome = run_case(options, index, family);
        passed[family] += outcome == Outcome::passed;
        failed += outcome == Outcome::failed;
        left_out += outcome == Outcome::left_out;
    }
    for (size_t i = 0; i < families.size(); ++i) {
        if (passed[i] > 0)
            std::printf("passed %lld %s\n", static_cast<long long>(passed[i]), families[i].name);
    }
    if (left_out > 0) std::printf("left out %lld\n", static_cast<long long>(left_out));
    print_reached();
    return failed > 0 ? 1 : 0;
}

}  // namespace nativegrad::fuzz

int main(int count, char** words) { return nativegrad::fuzz::run(count, words); }
