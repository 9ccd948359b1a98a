// What JavaScript hands over for programs: tensors by handle, typed arrays, the program itself.
#pragma once

#include <memory>
#include <vector>

#include "backend/error.h"
#include "binding/environment.h"
#include "program/program.h"

namespace nativegrad {

using ProgramRef = std::shared_ptr<Program>;
// Behind the JavaScript object: empty once the program was freed while the object still stands.
using ProgramHolder = std::shared_ptr<ProgramRef>;

TensorSlot& slot_of(Environment& environment, Handle handle);
const ProgramRef& program_of(napi_env env, napi_value value);
// Of a list of programs, or of one.
std::vector<ProgramRef> programs_of(napi_env env, napi_value value);

// The elements of a typed array of the given type.
template <class Element>
std::vector<Element> elements_of(napi_env env, napi_value value, napi_typedarray_type expected) {
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
        type != expected)
        fail("[capture] expected a typed array");
    const Element* begin = static_cast<const Element*>(data);
    return std::vector<Element>(begin, begin + length);
}

inline napi_value undefined() { return nullptr; }

}  // namespace nativegrad
