// Functions that run captured programs: at once, or on the program thread.
#include "binding/arguments.h"
#include "binding/program_thread.h"
#include "binding/replay.h"

namespace nativegrad {

namespace {

// checkReplay(program, steps, rows, stacked): throws what replay would throw before its first step
napi_value check_replay(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        read_replay(env, info);
        return undefined();
    });
}

// replay(program, steps, rows, stacked): runs at once
napi_value replay_now(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        read_replay(env, info).run();
        return undefined();
    });
}

// replayAsync(program, steps, rows, stacked): as replay, on the program thread; returns a promise
napi_value replay_async(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        Replay replay = read_replay(env, info);
        Environment& environment = environment_of(env);
        if (environment.program_thread == nullptr)
            environment.program_thread = std::make_unique<ProgramThread>(env);
        return environment.program_thread->start(std::move(replay));
    });
}

// setTimed(program, timed): whether replays add up what each call takes
napi_value set_timed(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2, "setTimed takes a program and a boolean");
        bool timed = false;
        napi_get_value_bool(env, arguments.values[1], &timed);
        program_of(env, arguments.values[0])->set_timed(timed);
        return undefined();
    });
}

}  // namespace

void define_replay_functions(napi_env env, napi_value exports) {
    define_function(env, exports, "checkReplay", &check_replay);
    define_function(env, exports, "replay", &replay_now);
    define_function(env, exports, "replayAsync", &replay_async);
    define_function(env, exports, "setTimed", &set_timed);
}

}  // namespace nativegrad
