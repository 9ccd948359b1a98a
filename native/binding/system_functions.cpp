// Functions on the addon as a whole: the contract's names, memory, threads, instruction set, measured peak.
#include <napi.h>

#include <string>

#include "backend/error.h"
#include "binding/environment.h"
#include "cpu/allocator.h"
#include "cpu/kernel_table.h"
#include "cpu/peak.h"
#include "cpu/thread_pool.h"
#include "ops/functions.h"

namespace nativegrad {

namespace {

napi_value guarded_value(napi_env env, napi_callback_info info,
                         Napi::Value (*body)(const Napi::CallbackInfo&)) {
    return guarded(env, [&]() -> napi_value { return body(Napi::CallbackInfo(env, info)); });
}

Napi::Array names(Napi::Env env, std::initializer_list<const char*> list) {
    Napi::Array result = Napi::Array::New(env, list.size());
    uint32_t index = 0;
    for (const char* name : list) result.Set(index++, Napi::String::New(env, name));
    return result;
}

struct FieldNames {
    Napi::Array& list;
    template <class Field>
    void operator()(const char* name, Field&) {
        list.Set(list.Length(), Napi::String::New(list.Env(), name));
    }
};

template <class Params>
Napi::Array field_names(Napi::Env env) {
    Napi::Array list = Napi::Array::New(env);
    Params params{};
    FieldNames visitor{list};
    params.fields(visitor);
    return list;
}

// contract(): the names and orders that lib/native relies on
Napi::Value contract(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Napi::Object result = Napi::Object::New(env);
    Napi::Object parameters = Napi::Object::New(env);
#define X(name, Params, layout) parameters.Set(#name, field_names<Params>(env));
#include "ops/op_table.def"
#undef X
    result.Set("parameters", parameters);
    result.Set("ops", names(env, {
#define X(name, Params, layout) #name,
#include "ops/op_table.def"
#undef X
                                 }));
    result.Set("unary", names(env, {
#define UNARY(name, formula, integer) #name,
#include "ops/elementwise_table.def"
#undef UNARY
                                   }));
    result.Set("binary", names(env, {
#define BINARY(name, formula, integer) #name,
#include "ops/elementwise_table.def"
#undef BINARY
                                    }));
    result.Set("compare", names(env, {
#define COMPARE(name, formula) #name,
#include "ops/elementwise_table.def"
#undef COMPARE
                                     }));
    return result;
}

Device device_of(const Napi::Value& value) { return device_at(value.ToNumber().Int32Value()); }

// loadPlugin(path)
Napi::Value load_plugin_file(const Napi::CallbackInfo& info) {
    load_plugin(info[0].ToString().Utf8Value().c_str());
    return info.Env().Undefined();
}

// deviceCount(): the CPU, and the devices of the plugin
Napi::Value count_devices(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), device_count());
}

// deviceInfo(device)
Napi::Value device_info(const Napi::CallbackInfo& info) {
    const Device device = device_of(info[0]);
    DeviceInfo found{};
    ErrorMessage error{};
    require_ok(device.backend->describe(device.ordinal, &found, &error), error);
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("backend", device.backend->name);
    result.Set("name", found.name);
    result.Set("memoryBytes", static_cast<double>(found.memory_bytes));
    result.Set("major", found.major);
    result.Set("minor", found.minor);
    result.Set("processors", found.processors);
    result.Set("driver", found.driver);
    result.Set("runtime", found.runtime);
    return result;
}

// synchronize(device): waits for all that this environment gave it
Napi::Value synchronize(const Napi::CallbackInfo& info) {
    const Placement& placement = environment_of(info.Env()).queues.on(info[0].ToNumber().Int32Value());
    ErrorMessage error{};
    require_ok(placement.backend->synchronize(placement.where, &error), error);
    return info.Env().Undefined();
}

// nameLibrary(only, also): where the library of large products lies; '' names nothing
Napi::Value name_library(const Napi::CallbackInfo& info) {
    const std::string only = info[0].ToString(), also = info[1].ToString();
    if (device_count() > 1) device_at(1).backend->name_library(only.c_str(), also.c_str());
    return info.Env().Undefined();
}

// configureProducts(file, deterministic): where the fastest ways of products are kept; '' keeps none
Napi::Value configure_products(const Napi::CallbackInfo& info) {
    const std::string file = info[0].ToString();
    const int32_t deterministic = info[1].ToBoolean().Value() ? 1 : 0;
    if (device_count() > 1) device_at(1).backend->configure_products(file.c_str(), deterministic);
    return info.Env().Undefined();
}

// library(device): { path, version, choices } of it, once it opened
Napi::Value library(const Napi::CallbackInfo& info) {
    const Device device = device_of(info[0]);
    LibraryInfo found{};
    ErrorMessage error{};
    require_ok(device.backend->describe_library(&found, &error), error);
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("path", found.path);
    result.Set("version", static_cast<double>(found.version));
    result.Set("choices", found.choices);
    return result;
}

// deviceMemory(device): { freeBytes, totalBytes } by the device's own count
Napi::Value device_memory(const Napi::CallbackInfo& info) {
    const Device device = device_of(info[0]);
    int64_t free_bytes = 0, total_bytes = 0;
    ErrorMessage error{};
    require_ok(device.backend->device_memory(device.ordinal, &free_bytes, &total_bytes, &error), error);
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("freeBytes", static_cast<double>(free_bytes));
    result.Set("totalBytes", static_cast<double>(total_bytes));
    return result;
}

// memory(device): counts of this environment, bytes of the process on that device
Napi::Value memory(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const HandleStats handles = environment_of(env).handles.stats();
    const Device device = device_of(info[0]);
    const MemoryStats allocator = device.backend->memory(device.ordinal);
    Napi::Object result = Napi::Object::New(env);
    const auto set = [&](const char* name, int64_t value) {
        result.Set(name, Napi::Number::New(env, static_cast<double>(value)));
    };
    set("tensors", handles.tensors);
    set("sweeps", handles.sweeps);
    set("swept", handles.swept);
    set("collections", handles.collections);
    set("liveBytes", allocator.live_bytes);
    set("cachedBytes", allocator.cached_bytes);
    set("peakBytes", allocator.peak_bytes);
    set("limitBytes", allocator.limit_bytes);
    return result;
}

// workCounts(device): what the process has asked of the devices of that kind so far
Napi::Value work_counts(const Napi::CallbackInfo& info) {
    const WorkCounts counts = device_of(info[0]).backend->work_counts();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("hostWaits", static_cast<double>(counts.host_waits));
    result.Set("copiesFromHost", static_cast<double>(counts.copies_from_host));
    result.Set("copiesToHost", static_cast<double>(counts.copies_to_host));
    result.Set("launches", static_cast<double>(counts.launches));
    result.Set("graphLaunches", static_cast<double>(counts.graph_launches));
    return result;
}

Napi::Value sweep(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(environment_of(info.Env()).handles.sweep()));
}

Napi::Value set_memory_limit(const Napi::CallbackInfo& info) {
    const Device device = device_of(info[1]);
    device.backend->set_memory_limit(device.ordinal, info[0].ToNumber().Int64Value());
    return info.Env().Undefined();
}

Napi::Value empty_cache(const Napi::CallbackInfo& info) {
    const Device device = device_of(info[0]);
    return Napi::Number::New(info.Env(), static_cast<double>(device.backend->empty_cache(device.ordinal)));
}

Napi::Value reset_peak(const Napi::CallbackInfo& info) {
    const Device device = device_of(info[0]);
    device.backend->reset_peak(device.ordinal);
    return info.Env().Undefined();
}

Napi::Value thread_count(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), cpu::thread_count());
}

// setThreads(count, spinMicroseconds, processors: Int32Array)
Napi::Value set_threads(const Napi::CallbackInfo& info) {
    const int32_t count = info[0].ToNumber().Int32Value();
    if (count < 1 || count > 1024) fail("[setThreads] expected 1 to 1024 threads, got %d", count);
    const auto processors = info[2].As<Napi::Int32Array>();
    cpu::set_thread_options({count,
                             info[1].ToNumber().Int32Value(),
                             {processors.Data(), processors.Data() + processors.ElementLength()}});
    return info.Env().Undefined();
}

// threads(): { count, spinMicroseconds, processors }
Napi::Value thread_options(const Napi::CallbackInfo& info) {
    const cpu::ThreadOptions options = cpu::thread_options();
    const Napi::Env env = info.Env();
    Napi::Array processors = Napi::Array::New(env, options.processors.size());
    uint32_t index = 0;
    for (const int32_t processor : options.processors) processors.Set(index++, processor);
    Napi::Object result = Napi::Object::New(env);
    result.Set("count", options.count);
    result.Set("spinMicroseconds", options.spin_microseconds);
    result.Set("processors", processors);
    return result;
}

// instructionSets(): { best, used }
Napi::Value instruction_sets(const Napi::CallbackInfo& info) {
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("best", cpu::instruction_set_name(cpu::best_instruction_set()));
    result.Set("used", cpu::instruction_set_name(cpu::kernels().instruction_set));
    return result;
}

Napi::Value use_instruction_set(const Napi::CallbackInfo& info) {
    const std::string name = info[0].ToString().Utf8Value();
    for (const auto set :
         {cpu::InstructionSet::scalar, cpu::InstructionSet::avx2, cpu::InstructionSet::avx512}) {
        if (name == cpu::instruction_set_name(set)) {
            cpu::use_instruction_set(set);
            return info.Env().Undefined();
        }
    }
    fail("[useInstructionSet] expected scalar, avx2 or avx512, got '%s'", name.c_str());
}

// measurePeak({ seconds }): GFLOP/s of float32 FMAs held in registers on all threads of the pool
Napi::Value measure_peak(const Napi::CallbackInfo& info) {
    double seconds = 0.2;
    if (info[0].IsObject() && info[0].As<Napi::Object>().Get("seconds").IsNumber()) {
        seconds = info[0].As<Napi::Object>().Get("seconds").ToNumber().DoubleValue();
    }
    return Napi::Number::New(info.Env(), cpu::measure_peak(seconds));
}

template <Napi::Value (*body)(const Napi::CallbackInfo&)>
napi_value call(napi_env env, napi_callback_info info) {
    return guarded_value(env, info, body);
}

}  // namespace

void define_system_functions(napi_env env, napi_value exports) {
    define_function(env, exports, "contract", &call<contract>);
    define_function(env, exports, "loadPlugin", &call<load_plugin_file>);
    define_function(env, exports, "deviceCount", &call<count_devices>);
    define_function(env, exports, "deviceInfo", &call<device_info>);
    define_function(env, exports, "synchronize", &call<synchronize>);
    define_function(env, exports, "nameLibrary", &call<name_library>);
    define_function(env, exports, "configureProducts", &call<configure_products>);
    define_function(env, exports, "library", &call<library>);
    define_function(env, exports, "deviceMemory", &call<device_memory>);
    define_function(env, exports, "memory", &call<memory>);
    define_function(env, exports, "workCounts", &call<work_counts>);
    define_function(env, exports, "sweep", &call<sweep>);
    define_function(env, exports, "setMemoryLimit", &call<set_memory_limit>);
    define_function(env, exports, "emptyCache", &call<empty_cache>);
    define_function(env, exports, "resetPeak", &call<reset_peak>);
    define_function(env, exports, "threadCount", &call<thread_count>);
    define_function(env, exports, "setThreads", &call<set_threads>);
    define_function(env, exports, "threadOptions", &call<thread_options>);
    define_function(env, exports, "instructionSets", &call<instruction_sets>);
    define_function(env, exports, "useInstructionSet", &call<use_instruction_set>);
    define_function(env, exports, "measurePeak", &call<measure_peak>);
}

}  // namespace nativegrad
