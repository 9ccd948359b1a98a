#include "binding/program_thread.h"

#include <algorithm>
#include <memory>

#include "cpu/thread_pool.h"

namespace nativegrad {

namespace {

constexpr const char* kNoStart = "[capture] cannot start the program's thread";

}  // namespace

ProgramThread::ProgramThread(napi_env env)
    : env_(env),
      thread_(env, {"nativegrad.replay", kNoStart, "[capture] the system grants no thread for the program"},
              [this] {
                  while (!in_use_.empty()) free_tensors(*in_use_.front());
              }) {}

napi_value ProgramThread::start(Replays replays) {
    auto job = std::make_unique<Job>(Job{*this, std::move(replays)});
    napi_value promise;
    if (napi_create_promise(env_, &job->deferred, &promise) != napi_ok)
        throw Error(Status::internal, kNoStart);
    for (Replay& replay : job->replays) replay.begin_use();
    in_use_.push_back(job.get());
    thread_.push(std::move(job));
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

void ProgramThread::Job::run(const std::atomic<bool>& stopping) {
    cpu::bind_calling_thread();
    try {
        run_replays(replays, &stopping);
    } catch (const Error& error) {
        status = error.status;
        message = error.what();
    } catch (const std::exception& error) {
        status = Status::internal;
        message = error.what();
    }
    {
        const std::lock_guard<std::mutex> lock(owner.mutex_);
        has_ended = true;
    }
    owner.ended_.notify_all();
}

void ProgramThread::Job::settle(napi_env env) {
    owner.free_tensors(*this);
    settle_promise(env, deferred, status, message,
                   [&](napi_value error) { note_steps_done(env, error, replays); });
}

}  // namespace nativegrad
