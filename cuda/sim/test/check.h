// A test of the simulator is a function under a name; it throws Failed where something is wrong. Each runs
// once per seed.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "device/launch.h"

namespace nativegrad::cuda::test {

struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// by_clock: looks at the device's times, or at a stream that is held. Under a sanitizer, where each launch
// may wait for its kernel, there is nothing to see of either.
enum class Kind { ordinary, by_name_only, by_clock };

struct Test {
    const char* name;
    void (*run)();
    Kind kind;
};
std::vector<Test>& tests();

struct Register {
    Register(const char* name, void (*run)(), Kind kind = Kind::ordinary) {
        tests().push_back({name, run, kind});
    }
};

inline void expect(bool holds, const std::string& what) {
    if (!holds) throw Failed(what);
}

// The text of the error that body() throws; Failed when it throws none, or one without each of the words.
template <class Body>
std::string expect_error(Body body, const std::vector<std::string>& words) {
    std::string text;
    try {
        body();
    } catch (const Failed&) {
        throw;
    } catch (const std::exception& error) {
        text = error.what();
    }
    expect(!text.empty(), "no error was thrown");
    for (const std::string& word : words) {
        expect(text.find(word) != std::string::npos, "'" + word + "' is not in: " + text);
    }
    return text;
}

// Device memory for the time of a test.
template <class T>
class Buffer {
  public:
    explicit Buffer(size_t count) : count_(count), data_(static_cast<T*>(allocate(count * sizeof(T)))) {}
    explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
        copy_to_device(data_, values.data(), count_ * sizeof(T), {});
        // Streams of the test's own do not wait for the default one.
        synchronize(Stream{});
    }
    ~Buffer() { release(data_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    T* data() { return data_; }
    std::vector<T> values() const {
        std::vector<T> result(count_);
        copy_to_host(result.data(), data_, count_ * sizeof(T), {});
        synchronize(Stream{});
        return result;
    }

  private:
    size_t count_;
    T* data_;
};

}  // namespace nativegrad::cuda::test

#define NATIVEGRAD_TEST_OF_KIND(name, kind)                                                            \
    static void name();                                                                                \
    static const nativegrad::cuda::test::Register register_##name(#name, name,                         \
                                                                  nativegrad::cuda::test::Kind::kind); \
    static void name()

#define NATIVEGRAD_TEST(name) NATIVEGRAD_TEST_OF_KIND(name, ordinary)
#define NATIVEGRAD_CLOCK_TEST(name) NATIVEGRAD_TEST_OF_KIND(name, by_clock)

// A fault that the access hooks find. A build for AddressSanitizer has none of them: what it knows itself
// ends the program.
#ifdef __SANITIZE_ADDRESS__
#define NATIVEGRAD_ACCESS_TEST(name) NATIVEGRAD_TEST_OF_KIND(name, by_name_only)
#else
#define NATIVEGRAD_ACCESS_TEST(name) NATIVEGRAD_TEST(name)
#endif
