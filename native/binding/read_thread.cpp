#include "binding/read_thread.h"

#include <memory>
#include <system_error>

#include "backend/error.h"
#include "binding/environment.h"

namespace nativegrad {

namespace {

void require(napi_status status) {
    if (status != napi_ok)
        throw Error(Status::internal, "[data] cannot start the thread that waits for reads");
}

void finish(const Placement& placement, void* read, void* host, int32_t& status, ErrorMessage& error) {
    status = placement.backend->finish_read(placement.where, read, host, &error);
}

}  // namespace

ReadThread::ReadThread(napi_env env) : env_(env) {
    napi_value name;
    require(napi_create_string_utf8(env, "nativegrad.read", NAPI_AUTO_LENGTH, &name));
    require(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                            &deliver, &delivery_));
    // Only reads that are under way keep the process alive.
    napi_unref_threadsafe_function(env, delivery_);
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        napi_release_threadsafe_function(delivery_, napi_tsfn_abort);
        throw Error(Status::internal, "[data] the system grants no thread for reads");
    }
    // Hooks run last in, first out: before the one that takes `delivery_` away.
    const auto stop_hook = [](void* thread) { static_cast<ReadThread*>(thread)->stop(); };
    napi_add_env_cleanup_hook(env, stop_hook, this);
}

ReadThread::~ReadThread() {
    if (thread_.joinable()) stop();
}

napi_value ReadThread::start(const Placement& placement, void* read, napi_value target, void* host) {
    auto job = std::make_unique<Job>(Job{placement, read, host});
    napi_value promise;
    if (napi_create_reference(env_, target, 1, &job->target) != napi_ok ||
        napi_create_promise(env_, &job->deferred, &promise) != napi_ok) {
        if (job->target != nullptr) napi_delete_reference(env_, job->target);
        finish(placement, read, nullptr, job->status, job->error);
        throw Error(Status::internal, "[data] cannot make a promise");
    }
    if (undelivered_++ == 0) napi_ref_threadsafe_function(env_, delivery_);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        queue_.push_back(job.release());
    }
    queued_.notify_one();
    return promise;
}

void ReadThread::work() {
    for (;;) {
        Job* job = nullptr;
        {
            std::unique_lock<std::mutex> lock(mutex_);
            queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
            if (stopping_) return;
            job = queue_.front();
            queue_.pop_front();
        }
        finish(job->placement, job->read, job->host, job->status, job->error);
        napi_call_threadsafe_function(delivery_, job, napi_tsfn_blocking);
    }
}

// On the environment's thread; without an environment once that has ended.
void ReadThread::deliver(napi_env env, napi_value, void* context, void* data) {
    const std::unique_ptr<Job> job(static_cast<Job*>(data));
    if (env != nullptr) static_cast<ReadThread*>(context)->settle(env, *job);
}

void ReadThread::settle(napi_env env, Job& job) {
    if (--undelivered_ == 0) napi_unref_threadsafe_function(env, delivery_);
    napi_delete_reference(env, job.target);
    napi_value result = nullptr;
    if (job.status == 0) {
        if (napi_get_undefined(env, &result) == napi_ok) napi_resolve_deferred(env, job.deferred, result);
        return;
    }
    guarded(env, [&]() -> napi_value { throw Error(static_cast<Status>(job.status), job.error.text); });
    if (napi_get_and_clear_last_exception(env, &result) != napi_ok) return;
    napi_reject_deferred(env, job.deferred, result);
}

// The end of the environment: its promises are settled no more, and its arrays are not written any more.
void ReadThread::stop() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stopping_ = true;
    }
    queued_.notify_one();
    thread_.join();
    for (Job* job : queue_) {
        finish(job->placement, job->read, nullptr, job->status, job->error);
        delete job;
    }
    queue_.clear();
    napi_release_threadsafe_function(delivery_, napi_tsfn_abort);
}

}  // namespace nativegrad
