// What was found by timing to make a product fastest, by a text that describes device, library and product:
// kept for the process, and in a file for later ones.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "runtime/runtime.h"
#include "runtime/stream_hold.h"

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

// Milliseconds of one run of the body on the stream, the least of several rounds, by the device's clock
// alone: what the host takes to start it does not count. Waits. The body must come to the same end as often
// as it runs, and the stream must not capture.
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
    // Milliseconds of a run, of several in a row.
    template <class Body>
    double time(int runs, const Body& body) {
        StreamHold hold(stream_);
        record(start_, stream_);
        for (int i = 0; i < runs; ++i) body();
        record(end_, stream_);
        hold.let_go();
        synchronize(end_);
        return static_cast<double>(elapsed_ms(start_, end_)) / runs;
    }

  private:
    Stream stream_;
    Event start_, end_;
};

template <class Body>
double milliseconds_of(Stream stream, const Body& body) {
    constexpr int runs = 10, rounds = 3;
    constexpr double long_run = 1;
    body();  // loads code, fills caches
    Stopwatch watch(stream);
    double least = watch.time(1, body);
    for (int round = 0; round < rounds && least <= long_run; ++round)
        least = std::min(least, watch.time(runs, body));
    return least;
}

}  // namespace nativegrad::cuda
