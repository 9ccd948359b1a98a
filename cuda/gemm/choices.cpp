#include "gemm/choices.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "backend/backend.h"
#include "gemm/cublaslt.h"

namespace nativegrad::cuda {

namespace {

constexpr const char* heading = "nativegrad products 2";
// Shapes without end must not fill the memory, nor the disk.
constexpr size_t most_choices = 4096;

using Known = std::map<std::string, std::string>;

// Never destroyed: threads may multiply while the process ends.
struct Choices {
    std::mutex mutex;
    std::string file, problem;
    Known known;
    std::atomic<bool> deterministic{false};
};

Choices& choices() {
    static Choices* const instance = new Choices;
    return *instance;
}

// What the file holds; nothing, and why, where it is not whole. A missing one is whole.
Known read_choices(const std::string& file, std::string& problem) {
    problem.clear();
    std::ifstream stream(file);
    Known found;
    std::string line;
    if (!stream || !std::getline(stream, line)) return found;
    size_t number = 1;
    bool whole = line == heading, ended = false;
    while (whole && std::getline(stream, line)) {
        ++number;
        ended = line == "end";
        if (ended) break;
        const size_t tab = line.find('\t');
        whole = tab != std::string::npos && tab > 0 && line.find('\t', tab + 1) == std::string::npos &&
                tab + 1 < line.size() && found.size() < most_choices;
        if (whole) found[line.substr(0, tab)] = line.substr(tab + 1);
    }
    if (whole && ended) return found;
    problem = "line " + std::to_string(number) + " is not what this program wrote";
    return {};
}

// By a new file in its place: readers see the one or the other, whole.
bool write_choices(const std::string& file, const Known& known) {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path(), ignored);
    const std::string made = file + "." + std::to_string(getpid()) + ".tmp";
    std::FILE* out = std::fopen(made.c_str(), "w");
    if (out == nullptr) return false;
    bool good = std::fprintf(out, "%s\n", heading) > 0;
    for (const auto& [key, value] : known)
        good = std::fprintf(out, "%s\t%s\n", key.c_str(), value.c_str()) > 0 && good;
    good = std::fprintf(out, "end\n") > 0 && good;
    good = std::fflush(out) == 0 && fsync(fileno(out)) == 0 && good;
    good = std::fclose(out) == 0 && good;
    good = good && std::rename(made.c_str(), file.c_str()) == 0;
    if (!good) std::remove(made.c_str());
    return good;
}

}  // namespace

void configure_choices(const std::string& file, bool deterministic) {
    Choices& all = choices();
    const std::lock_guard lock(all.mutex);
    all.deterministic = deterministic;
    if (all.file == file) return;
    all.file = file;
    all.known = read_choices(file, all.problem);
}

bool is_deterministic() { return choices().deterministic; }

std::optional<std::string> known_choice(const std::string& key) {
    Choices& all = choices();
    const std::lock_guard lock(all.mutex);
    const auto found = all.known.find(key);
    if (found == all.known.end()) return std::nullopt;
    return found->second;
}

void keep_choice(const std::string& key, const std::string& value) {
    Choices& all = choices();
    const std::lock_guard lock(all.mutex);
    if (all.known.size() >= most_choices) all.known.clear();
    all.known[key] = value;
    if (all.file.empty()) return;
    std::string problem;
    Known merged = read_choices(all.file, problem);
    if (merged.size() + all.known.size() > most_choices) merged.clear();
    for (const auto& [known, chosen] : all.known) merged[known] = chosen;
    all.problem = write_choices(all.file, merged) ? "" : "it cannot be written";
}

std::string describe_choices() {
    Choices& all = choices();
    const std::lock_guard lock(all.mutex);
    if (all.deterministic) return "not by time: deterministic";
    if (all.file.empty()) return "by time, kept for the process";
    const std::string text = std::to_string(all.known.size()) + " by time, kept in " + all.file;
    return all.problem.empty() ? text : text + ", whose content was ignored: " + all.problem;
}

std::string choice_place() {
    static std::mutex mutex;
    static std::string known[max_devices];
    const int device = current_device();
    const std::lock_guard lock(mutex);
    if (known[device].empty()) {
        const DeviceProperties properties = device_properties(device);
        std::string name = properties.name;
        for (char& letter : name) letter = letter < ' ' ? '?' : letter;
        known[device] = name + " " + std::to_string(properties.capability) + " driver " +
                        std::to_string(probe().driver_version) + " cublaslt " +
                        std::to_string(load_cublaslt().version) + " plugin " +
                        std::to_string(backend_abi_hash());
    }
    return known[device];
}

Stopwatch::~Stopwatch() {
    try {
        destroy(start_);
        destroy(end_);
    } catch (...) {  // the device is lost: the next call says so
    }
}

}  // namespace nativegrad::cuda
