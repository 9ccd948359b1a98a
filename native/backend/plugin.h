// What a plugin exports: one function, found by its name.
#pragma once

#include "backend/backend.h"

// The table, or null with a message. `host_abi_hash` is the caller's: a plugin of another version says so.
#define NATIVEGRAD_PLUGIN_ENTRY "nativegrad_plugin"

namespace nativegrad {
using PluginEntry = const BackendTable* (*)(uint64_t host_abi_hash, ErrorMessage* error);
}
