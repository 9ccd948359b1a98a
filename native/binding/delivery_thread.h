// A thread that runs the jobs of one environment in turn while JavaScript goes on, and delivers each to the
// environment's own thread, where it settles a promise. It ends with the environment, after the job that runs
// then.
//
// A Job has
//   void run(const std::atomic<bool>& stopping)   on the thread; must not throw
//   void settle(napi_env)                         on the environment's thread, once run() has returned
//   void abandon()                                in place of both, where the environment ends first
#pragma once

#include <node_api.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "backend/error.h"
#include "binding/environment.h"

namespace nativegrad {

// What a kind of thread is called: by Node's tools, and in errors.
struct ThreadTexts {
    const char* name;
    const char* no_start;
    const char* no_thread;
};

// Resolves a promise with undefined, or rejects it with the error of `status`, which `note` may add to.
template <typename Note>
void settle_promise(napi_env env, napi_deferred deferred, Status status, const std::string& message,
                    const Note& note) {
    napi_value result = nullptr;
    if (status == Status::ok) {
        if (napi_get_undefined(env, &result) == napi_ok) napi_resolve_deferred(env, deferred, result);
        return;
    }
    guarded(env, [&]() -> napi_value { throw Error(status, message); });
    if (napi_get_and_clear_last_exception(env, &result) != napi_ok) return;
    note(result);
    napi_reject_deferred(env, deferred, result);
}

template <typename Job>
class DeliveryThread {
  public:
    // `at_end` is called on the environment's thread once no job runs any more, before queued ones are
    // abandoned.
    DeliveryThread(
        napi_env env, const ThreadTexts& texts, std::function<void()> at_end = [] {})
        : env_(env), at_end_(std::move(at_end)) {
        napi_value name;
        if (napi_create_string_utf8(env, texts.name, NAPI_AUTO_LENGTH, &name) != napi_ok ||
            napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                            &deliver, &delivery_) != napi_ok)
            throw Error(Status::internal, texts.no_start);
        // Only jobs that are under way keep the process alive.
        napi_unref_threadsafe_function(env, delivery_);
        try {
            thread_ = std::thread([this] { work(); });
        } catch (const std::system_error&) {
            napi_release_threadsafe_function(delivery_, napi_tsfn_abort);
            throw Error(Status::internal, texts.no_thread);
        }
        // Hooks run last in, first out: before the one that takes `delivery_` away.
        const auto stop_hook = [](void* thread) { static_cast<DeliveryThread*>(thread)->stop(); };
        napi_add_env_cleanup_hook(env, stop_hook, this);
    }

    ~DeliveryThread() {
        if (thread_.joinable()) stop();
    }

    DeliveryThread(const DeliveryThread&) = delete;
    DeliveryThread& operator=(const DeliveryThread&) = delete;

    void push(std::unique_ptr<Job> job) {
        if (undelivered_++ == 0) napi_ref_threadsafe_function(env_, delivery_);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            queue_.push_back(job.release());
        }
        queued_.notify_one();
    }

  private:
    void work() {
        for (;;) {
            Job* job = nullptr;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                queued_.wait(lock, [&] { return stopping_.load() || !queue_.empty(); });
                if (stopping_.load()) return;
                job = queue_.front();
                queue_.pop_front();
            }
            job->run(stopping_);
            napi_call_threadsafe_function(delivery_, job, napi_tsfn_blocking);
        }
    }

    // On the environment's thread; without an environment once that has ended.
    static void deliver(napi_env env, napi_value, void* context, void* data) {
        const std::unique_ptr<Job> job(static_cast<Job*>(data));
        if (env == nullptr) return;
        auto& self = *static_cast<DeliveryThread*>(context);
        if (--self.undelivered_ == 0) napi_unref_threadsafe_function(env, self.delivery_);
        job->settle(env);
    }

    // The end of the environment: its promises are settled no more.
    void stop() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stopping_.store(true);
        }
        queued_.notify_one();
        thread_.join();
        at_end_();
        for (Job* job : queue_) {
            job->abandon();
            delete job;
        }
        queue_.clear();
        napi_release_threadsafe_function(delivery_, napi_tsfn_abort);
    }

    napi_env env_;
    std::function<void()> at_end_;
    napi_threadsafe_function delivery_ = nullptr;
    size_t undelivered_ = 0;

    std::mutex mutex_;
    std::condition_variable queued_;
    std::deque<Job*> queue_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace nativegrad
