// Functions that run captured programs: at once, or on the program thread.
#include <algorithm>
#include <map>
#include <set>

#include "binding/arguments.h"
#include "binding/program_thread.h"
#include "binding/replay.h"
#include "cpu/thread_pool.h"

namespace nativegrad {

namespace {

// checkReplay(programs, steps, rows, stacked): throws what replay would throw before its first step
napi_value check_replay(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        read_replays(env, info);
        return undefined();
    });
}

// replay(programs, steps, rows, stacked): runs at once; an error says in `stepsDone` how many whole steps
// each program did
napi_value replay_now(napi_env env, napi_callback_info info) {
    Replays replays;
    guarded(env, [&]() -> napi_value {
        replays = read_replays(env, info);
        run_replays(replays);
        return undefined();
    });
    bool has_failed = false;
    napi_value error;
    if (napi_is_exception_pending(env, &has_failed) == napi_ok && has_failed &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
        note_steps_done(env, error, replays);
        napi_throw(env, error);
    }
    return undefined();
}

// replayAsync(programs, steps, rows, stacked): as replay, on the program thread; returns a promise
napi_value replay_async(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        Replays replays = read_replays(env, info);
        Environment& environment = environment_of(env);
        if (environment.program_thread == nullptr)
            environment.program_thread = std::make_unique<ProgramThread>(env);
        return environment.program_thread->start(std::move(replays));
    });
}

// Fails where a program writes what another one uses: they could not run side by side.
void require_apart(const std::vector<ProgramRef>& programs) {
    std::map<const Storage*, size_t> writers;
    const auto each_storage = [&](const auto& visit) {
        for (size_t i = 0; i < programs.size(); ++i) {
            for (const Buffer& buffer : programs[i]->buffers) {
                if (buffer.place == Place::storage) visit(i, buffer);
            }
        }
    };
    each_storage([&](size_t i, const Buffer& buffer) {
        if (buffer.is_written) writers.emplace(buffer.storage.get(), i);
    });
    each_storage([&](size_t i, const Buffer& buffer) {
        const auto writer = writers.find(buffer.storage.get());
        if (writer != writers.end() && writer->second != i)
            fail(
                "[captureModels] the step of model %zu writes a tensor that the step of model %zu uses; "
                "models that are trained together need parameters, state and optimizers of their own",
                std::min(writer->second, i), std::max(writer->second, i));
    });
}

// Neighbours that one thread will run share an arena, which then stays in its cache; no two threads' programs
// do, also where an earlier grouping put them together.
void share_arenas(Environment& environment, const std::vector<ProgramRef>& programs, size_t groups) {
    std::set<const Storage*> taken;
    for (size_t i = 0, first = 0; i < programs.size(); ++i) {
        const bool begins_group =
            i == 0 || i * groups / programs.size() != (i - 1) * groups / programs.size();
        if (!begins_group && programs[i]->share_arena(*programs[first])) continue;
        first = i;
        Program& program = *programs[i];
        if (program.arena_bytes == 0) continue;
        if (taken.count(program.arena.get()) != 0)
            program.use_arena(environment.handles.allocate(program.arena->placement(), program.arena_bytes));
        taken.insert(program.arena.get());
    }
}

// joinPrograms(programs, models): prepares the programs of models with these numbers for replays side by
// side; returns how many groups of them can run at once.
napi_value join_programs(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2,
                                  "joinPrograms takes programs and the numbers of their models");
        const std::vector<ProgramRef> programs = programs_of(env, arguments.values[0]);
        const std::vector<int32_t> models = elements_of<int32_t>(env, arguments.values[1], napi_int32_array);
        if (models.size() != programs.size()) fail("[capture] expected a number for each program");
        require_apart(programs);
        for (size_t i = 0; i < programs.size(); ++i) programs[i]->model = models[i];
        // On another device than the CPU all of them run at once.
        const bool is_on_cpu = std::all_of(programs.begin(), programs.end(),
                                           [](const ProgramRef& program) { return program->device == 0; });
        const size_t threads =
            static_cast<size_t>(std::max(cpu::thread_count(), cpu::default_thread_count()));
        share_arenas(environment_of(env), programs,
                     is_on_cpu ? std::min(programs.size(), threads) : programs.size());
        std::vector<const Program*> joined;
        for (const ProgramRef& program : programs) joined.push_back(program.get());
        napi_value groups;
        if (napi_create_uint32(env, static_cast<uint32_t>(groups_apart(joined).size()), &groups) != napi_ok)
            throw Error(Status::internal, "[capture] no number");
        return groups;
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
    define_function(env, exports, "joinPrograms", &join_programs);
    define_function(env, exports, "setTimed", &set_timed);
}

}  // namespace nativegrad
