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

}  // namespace nativegrad
