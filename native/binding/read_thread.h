// The thread that waits for reads from a device while JavaScript goes on. It starts with the first of them
// and ends with the environment, after the reads that are under way.
#pragma once

#include "backend/registry.h"
#include "binding/delivery_thread.h"

namespace nativegrad {

class ReadThread {
  public:
    explicit ReadThread(napi_env env);

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

        void finish(void* to);
        void run(const std::atomic<bool>&) { finish(host); }
        void settle(napi_env env);
        // The array is not written any more.
        void abandon() { finish(nullptr); }
    };

    napi_env env_;
    DeliveryThread<Job> thread_;
};

}  // namespace nativegrad
