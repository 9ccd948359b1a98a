#include "sim/code_position.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace nativegrad::cuda::sim {

namespace {

std::string file_name(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// addr2line names the functions that were inlined there from the inside out: the kernel's own line is the
// first that is not of a header of device/.
std::string ask_addr2line(const char* module, uintptr_t offset) {
    char command[1200];
    std::snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%zx 2>/dev/null", module,
                  static_cast<size_t>(offset));
    FILE* pipe = popen(command, "r");
    if (pipe == nullptr) return {};
    std::string found;
    for (char line[1024]; std::fgets(line, sizeof line, pipe) != nullptr;) {
        const std::string text = std::string(line).substr(0, std::strcspn(line, " \n"));
        const bool of_kernel = text.find("/device/") == std::string::npos;
        if (!text.empty() && text[0] != '?' && (found.empty() || of_kernel)) found = file_name(text);
        if (!found.empty() && of_kernel) break;
    }
    pclose(pipe);
    return found;
}

}  // namespace

std::string code_position(const void* code) {
    Dl_info info;
    link_map* map = nullptr;
    if (code == nullptr || dladdr1(code, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0) {
        return "place unknown";
    }
    // The address is that of the return: the call lies before it.
    const uintptr_t offset = reinterpret_cast<uintptr_t>(code) - map->l_addr - 1;
    const std::string found = ask_addr2line(info.dli_fname, offset);
    if (!found.empty()) return found;
    char text[64];
    std::snprintf(text, sizeof text, "+0x%zx", static_cast<size_t>(offset));
    return file_name(info.dli_fname) + text;
}

}  // namespace nativegrad::cuda::sim
