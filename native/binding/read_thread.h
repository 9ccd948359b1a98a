// The thread that waits for reads from a device while JavaScript goes on. It starts with the first of them
// and ends with the environment, after the reads that are under way.
#pragma once

#include <node_api.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "backend/registry.h"

namespace nativegrad {

class ReadThread {
  public:
    explicit ReadThread(napi_env env);
    ~ReadThread();
    ReadThread(const ReadThread&) = delete;
    ReadThread& operator=(const ReadThread&) = delete;

    // `read` is one that begin_read() of the placement's backend gave; its elements go to `host`, the memory
    // of `target`, which is kept alive. Returns a promise for the end.
    napi_value start(const Placement& placement, void* read, napi_value target, void* host);

  private:
    struct Job {
        Placement placement;
        void* read;
        void* host;
        napi_ref target = nullptr;
        napi_deferred deferred = nullptr;
        int32_t status = 0;
        ErrorMessage error{};
    };

    static void deliver(napi_env env, napi_value, void* context, void* data);
    void settle(napi_env env, Job& job);
    void work();
    void stop();

    napi_env env_;
    napi_threadsafe_function delivery_ = nullptr;
    size_t undelivered_ = 0;

    std::mutex mutex_;
    std::condition_variable queued_;
    std::deque<Job*> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace nativegrad
