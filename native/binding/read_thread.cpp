#include "binding/read_thread.h"

#include <memory>

namespace nativegrad {

ReadThread::ReadThread(napi_env env)
    : env_(env),
      thread_(env, {"nativegrad.read", "[data] cannot start the thread that waits for reads",
                    "[data] the system grants no thread for reads"}) {}

napi_value ReadThread::start(const Placement& placement, void* read, napi_value target, void* host) {
    auto job = std::make_unique<Job>(Job{placement, read, host});
    napi_value promise;
    if (napi_create_reference(env_, target, 1, &job->target) != napi_ok ||
        napi_create_promise(env_, &job->deferred, &promise) != napi_ok) {
        if (job->target != nullptr) napi_delete_reference(env_, job->target);
        job->abandon();
        throw Error(Status::internal, "[data] cannot make a promise");
    }
    thread_.push(std::move(job));
    return promise;
}

void ReadThread::Job::finish(void* to) {
    status = placement.backend->finish_read(placement.where, read, to, &error);
}

void ReadThread::Job::settle(napi_env env) {
    napi_delete_reference(env, target);
    settle_promise(env, deferred, static_cast<Status>(status), error.text, [](napi_value) {});
}

}  // namespace nativegrad
