// What was found by timing to make a product fastest, by a text that describes device, library and product:
// kept for the process, and in a file for later ones.
#pragma once

#include <optional>
#include <string>

#include "runtime/runtime.h"

namespace nativegrad::cuda {

// The file that this process reads its choices from, now, and adds to; empty for none. Whatever it holds is
// no error. `deterministic`: nothing is timed, and no choice by time counts; bits are then those of every
// run.
void configure_choices(const std::string& file, bool deterministic);
bool is_deterministic();

std::optional<std::string> known_choice(const std::string& key);
// Adds it to the file, too; others' choices that have come there stay. Neither text may hold tabs or line
// ends.
void keep_choice(const std::string& key, const std::string& value);
// How many are known, where, and what was wrong with the file; one line.
std::string describe_choices();

// Device, driver, library and plugin, as keys begin. The current device's.
std::string choice_place();

// Milliseconds of one run of the body on the stream, by its events; waits. The body must come to the same end
// as often as it runs, and the stream must not capture.
template <class Body>
double milliseconds_of(Stream stream, const Body& body);

// Whether times mean something on this device.
bool can_time_products();

class Stopwatch {
  public:
    explicit Stopwatch(Stream stream)
        : stream_(stream), start_(create_event(true)), end_(create_event(true)) {}
    ~Stopwatch();
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;
    void start() { record(start_, stream_); }
    // Waits for the stream.
    double stop() {
        record(end_, stream_);
        synchronize(end_);
        return static_cast<double>(elapsed_ms(start_, end_));
    }

  private:
    Stream stream_;
    Event start_, end_;
};

template <class Body>
double milliseconds_of(Stream stream, const Body& body) {
    constexpr int runs = 10;
    constexpr double long_run = 1;
    body();  // loads code, fills caches
    Stopwatch watch(stream);
    watch.start();
    body();
    const double once = watch.stop();
    if (once > long_run) return once;
    watch.start();
    for (int i = 0; i < runs; ++i) body();
    return watch.stop() / runs;
}

}  // namespace nativegrad::cuda
