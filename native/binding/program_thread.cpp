#include "binding/program_thread.h"

#include <algorithm>
#include <system_error>

#include "cpu/thread_pool.h"

namespace nativegrad {

namespace {

void require(napi_status status) {
    if (status != napi_ok) throw Error(Status::internal, "[capture] cannot start the program's thread");
}

}  // namespace

ProgramThread::ProgramThread(napi_env env) : env_(env) {
    napi_value name;
    require(napi_create_string_utf8(env, "nativegrad.replay", NAPI_AUTO_LENGTH, &name));
    require(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                            &deliver, &delivery_));
    // Only replays that run keep the process alive.
    napi_unref_threadsafe_function(env, delivery_);
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        napi_release_threadsafe_function(delivery_, napi_tsfn_abort);
        throw Error(Status::internal, "[capture] the system grants no thread for the program");
    }
    // Hooks run last in, first out: before the one that takes `delivery_` away.
    const auto stop_hook = [](void* thread) { static_cast<ProgramThread*>(thread)->stop(); };
    napi_add_env_cleanup_hook(env, stop_hook, this);
}

ProgramThread::~ProgramThread() {
    if (thread_.joinable()) stop();
}

napi_value ProgramThread::start(Replays replays) {
    auto job = std::make_unique<Job>();
    job->replays = std::move(replays);
    napi_value promise;
    require(napi_create_promise(env_, &job->deferred, &promise));
    for (Replay& replay : job->replays) replay.begin_use();
    in_use_.push_back(job.get());
    if (undelivered_++ == 0) napi_ref_threadsafe_function(env_, delivery_);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        queue_.push_back(job.release());
    }
    queued_.notify_one();
    return promise;
}

void ProgramThread::wait() {
    while (!in_use_.empty()) {
        Job& job = *in_use_.front();
        {
            std::unique_lock<std::mutex> lock(mutex_);
            ended_.wait(lock, [&] { return job.has_ended; });
        }
        free_tensors(job);
    }
}

void ProgramThread::free_tensors(Job& job) {
    const auto place = std::find(in_use_.begin(), in_use_.end(), &job);
    if (place == in_use_.end()) return;
    in_use_.erase(place);
    for (Replay& replay : job.replays) replay.end_use();
}

void ProgramThread::work() {
    for (;;) {
        Job* job = nullptr;
        {
            std::unique_lock<std::mutex> lock(mutex_);
            queued_.wait(lock, [&] { return stopping_.load() || !queue_.empty(); });
            if (stopping_.load()) return;
            job = queue_.front();
            queue_.pop_front();
        }
        cpu::bind_calling_thread();
        try {
            run_replays(job->replays, &stopping_);
        } catch (const Error& error) {
            job->status = error.status;
            job->message = error.what();
        } catch (const std::exception& error) {
            job->status = Status::internal;
            job->message = error.what();
        }
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            job->has_ended = true;
        }
        ended_.notify_all();
        napi_call_threadsafe_function(delivery_, job, napi_tsfn_blocking);
    }
}

// On the environment's thread; without an environment once that has ended.
void ProgramThread::deliver(napi_env env, napi_value, void* context, void* data) {
    const std::unique_ptr<Job> job(static_cast<Job*>(data));
    if (env != nullptr) static_cast<ProgramThread*>(context)->settle(env, *job);
}

void ProgramThread::settle(napi_env env, Job& job) {
    free_tensors(job);
    if (--undelivered_ == 0) napi_unref_threadsafe_function(env, delivery_);
    napi_value result = nullptr;
    if (job.status == Status::ok) {
        if (napi_get_undefined(env, &result) == napi_ok) napi_resolve_deferred(env, job.deferred, result);
        return;
    }
    guarded(env, [&]() -> napi_value { throw Error(job.status, job.message); });
    if (napi_get_and_clear_last_exception(env, &result) != napi_ok) return;
    note_steps_done(env, result, job.replays);
    napi_reject_deferred(env, job.deferred, result);
}

// The end of the environment: its promises are settled no more.
void ProgramThread::stop() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stopping_.store(true);
    }
    queued_.notify_one();
    thread_.join();
    while (!in_use_.empty()) free_tensors(*in_use_.front());
    for (Job* job : queue_) delete job;
    queue_.clear();
    napi_release_threadsafe_function(delivery_, napi_tsfn_abort);
}

}  // namespace nativegrad
