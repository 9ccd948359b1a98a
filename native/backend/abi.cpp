// What core and plugin must agree on; compiled into both.
#include "backend/backend.h"

namespace nativegrad {

namespace {

struct Hasher {
    uint64_t hash = 0xcbf29ce484222325ull;

    void text(const char* value) {
        for (; *value; ++value) hash = (hash ^ static_cast<unsigned char>(*value)) * 0x100000001b3ull;
    }
    template <class Field>
    void operator()(const char* name, Field&) {
        text(name);
        hash = (hash ^ sizeof(Field)) * 0x100000001b3ull;
    }
};

}  // namespace

const char* op_name(OpCode op) {
    static const char* const names[] = {
#define X(name, Params, layout) #name,
#include "ops/op_table.def"
#undef X
    };
    return names[static_cast<int32_t>(op)];
}

uint64_t backend_abi_hash() {
    Hasher hasher;
#define X(name, Params, layout) \
    {                           \
        hasher.text(#name);     \
        Params params{};        \
        params.fields(hasher);  \
    }
#include "ops/op_table.def"
#undef X
    // What lies in no list: codes, tables of formulas, the structs of this contract.
    return hasher.hash ^ NATIVEGRAD_ABI_SOURCES;
}

}  // namespace nativegrad
