// The thread on which an environment's programs run while JavaScript goes on. It starts with the first replay
// and ends with the environment, after the step that runs then.
#pragma once

#include <node_api.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "binding/replay.h"

namespace nativegrad {

class ProgramThread {
  public:
    explicit ProgramThread(napi_env env);
    ~ProgramThread();
    ProgramThread(const ProgramThread&) = delete;
    ProgramThread& operator=(const ProgramThread&) = delete;

    // Queues the replays, whose tensors are in use from now on; returns a promise for its end.
    napi_value start(Replays replays);
    // Returns when all replays have ended and their tensors are free.
    void wait();

  private:
    struct Job {
        Replays replays;
        napi_deferred deferred = nullptr;
        Status status = Status::ok;
        std::string message;
        bool has_ended = false;  // under mutex_
    };

    static void deliver(napi_env env, napi_value, void* context, void* data);
    void settle(napi_env env, Job& job);
    void free_tensors(Job& job);
    void work();
    void stop();

    napi_env env_;
    napi_threadsafe_function delivery_ = nullptr;
    std::vector<Job*> in_use_;  // jobs whose tensors are in use, oldest first
    size_t undelivered_ = 0;

    std::mutex mutex_;
    std::condition_variable queued_, ended_;
    std::deque<Job*> queue_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace nativegrad
