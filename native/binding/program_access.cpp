#include "binding/program_access.h"

namespace nativegrad {

TensorSlot& slot_of(Environment& environment, Handle handle) {
    TensorSlot* slot = environment.handles.find(handle);
    if (slot == nullptr) fail("[capture] a tensor was used after it was disposed");
    return *slot;
}

const ProgramRef& program_of(napi_env env, napi_value value) {
    void* data = nullptr;
    if (napi_get_value_external(env, value, &data) != napi_ok || data == nullptr)
        fail("[capture] expected a program");
    const ProgramRef& program = **static_cast<ProgramHolder*>(data);
    if (program == nullptr) fail("[capture] the program is gone");
    return program;
}

std::vector<ProgramRef> programs_of(napi_env env, napi_value value) {
    bool is_list = false;
    napi_is_array(env, value, &is_list);
    if (!is_list) return {program_of(env, value)};
    uint32_t count = 0;
    napi_get_array_length(env, value, &count);
    std::vector<ProgramRef> programs;
    for (uint32_t i = 0; i < count; ++i) {
        napi_value element;
        if (napi_get_element(env, value, i, &element) != napi_ok) fail("[capture] expected a program");
        programs.push_back(program_of(env, element));
    }
    return programs;
}

}  // namespace nativegrad
