#include "cpu/cpu_backend.h"

#include <cstdio>
#include <cstring>
#include <new>

#include "backend/error.h"
#include "cpu/allocator.h"

namespace nativegrad {

namespace {

int32_t report(ErrorMessage* error, OpCode op, Status status, const char* text) {
    std::snprintf(error->text, sizeof error->text, "[%s] %s", op_name(op), text);
    return static_cast<int32_t>(status);
}

template <class Params, OpCode op, void (*function)(const OpCall&, const Params&)>
int32_t guarded(const OpCall* call, ErrorMessage* error) {
    try {
        function(*call, *static_cast<const Params*>(call->params));
        return 0;
    } catch (const Error& caught) {
        return report(error, op, caught.status, caught.what());
    } catch (const std::bad_alloc&) {
        return report(error, op, Status::out_of_memory, "no memory left for a work buffer");
    } catch (const std::exception& caught) {
        return report(error, op, Status::internal, caught.what());
    }
}

int32_t copy_bytes(void* to, const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return 0;
}

}  // namespace

const BackendTable& cpu_backend() {
    static const BackendTable table = {
        backend_abi_hash(),
        "cpu",
        &cpu::allocate,
        &cpu::release,
        &copy_bytes,
        &copy_bytes,
        {
#define X(name, Params, layout) &guarded<Params, OpCode::name, &cpu::name>,
#include "ops/op_table.def"
#undef X
        },
    };
    return table;
}

}  // namespace nativegrad
