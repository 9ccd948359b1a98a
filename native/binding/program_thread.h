// The thread on which an environment's programs run while JavaScript goes on. It starts with the first replay
// and ends with the environment, after the step that runs then.
#pragma once

#include <vector>

#include "binding/delivery_thread.h"
#include "binding/replay.h"

namespace nativegrad {

class ProgramThread {
  public:
    explicit ProgramThread(napi_env env);

    // Queues the replays, whose tensors are in use from now on; returns a promise for its end.
    napi_value start(Replays replays);
    // Returns when all replays have ended and their tensors are free.
    void wait();

  private:
    struct Job {
        ProgramThread& owner;
        Replays replays;
        napi_deferred deferred = nullptr;
        Status status = Status::ok;
        std::string message{};
        bool has_ended = false;  // under mutex_ of the owner

        void run(const std::atomic<bool>& stopping);
        void settle(napi_env env);
        // Its tensors are free already.
        void abandon() {}
    };

    void free_tensors(Job& job);

    napi_env env_;
    std::vector<Job*> in_use_;  // jobs whose tensors are in use, oldest first
    std::mutex mutex_;
    std::condition_variable ended_;
    DeliveryThread<Job> thread_;  // the last member: it is the first to end
};

}  // namespace nativegrad
