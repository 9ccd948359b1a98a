#include "runtime/fault_text.h"

#include <algorithm>
#include <cstdlib>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

// The oldest driver for each major version of the runtime (CUDA Toolkit release notes, table of driver
// versions).
const char* least_driver(int runtime_version) {
    if (runtime_version >= 13000) return "580";
    if (runtime_version >= 12000) return "525";
    return "450";
}

}  // namespace

std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string fault_text(const Probe& found, const std::string& detail) {
    const std::string need = "CUDA " + version_text(found.runtime_version) + " needs driver " +
                             least_driver(found.runtime_version) + " or newer";
    switch (found.state) {
        case Availability::ready:
            return {};
        case Availability::no_driver:
            return "[cuda] no NVIDIA driver on this machine (" + detail + "). " + need +
                   "; in a container, start it with the NVIDIA runtime (--gpus all).";
        case Availability::driver_too_old:
            return "[cuda] the NVIDIA driver is too old: it is " +
                   (found.driver_release.empty() ? "one" : found.driver_release) + " for CUDA " +
                   version_text(found.driver_version) + ", and " + need + ".";
        case Availability::no_device:
            return detail.empty()
                       ? "[cuda] the NVIDIA driver finds no GPU on this machine (nvidia-smi lists them)."
                       : "[cuda] the NVIDIA driver finds no GPU; CUDA_VISIBLE_DEVICES is '" + detail +
                             "' (nvidia-smi lists those of the machine).";
        case Availability::hidden_by_environment:
            return "[cuda] CUDA_VISIBLE_DEVICES hides every GPU from this process: unset it, or name one "
                   "(0); it is '" +
                   detail + "'.";
        case Availability::other_architecture:
            return "[cuda] " + detail +
                   ": use a plugin that is built for it (npm run build:cuda there, or with --all).";
        case Availability::broken:
            return "[cuda] the NVIDIA driver does not start: " + detail;
    }
    return {};
}

// The driver ends the list at the first entry that it does not know: -1 is the usual word for none.
Availability none_seen(const std::string& visible) {
    const bool hides_all = visible.empty() || visible.compare(0, 2, "-1") == 0;
    return hides_all ? Availability::hidden_by_environment : Availability::no_device;
}

// A binary runs on its own and on later minor versions, "90a" on that alone, PTX of the newest on all later
// ones.
bool runs_on(const std::string& architectures, int capability) {
    if (architectures.empty()) return true;
    bool runs = false;
    int newest = 0;
    for (size_t at = 0; at < architectures.size();) {
        const size_t end = std::min(architectures.find_first_of(",;", at), architectures.size());
        const std::string word = architectures.substr(at, end - at);
        at = end + 1;
        if (word.empty()) continue;
        if (word == "ptx") {
            runs |= capability >= newest;
            continue;
        }
        newest = std::atoi(word.c_str());
        runs |= word.back() == 'a' ? newest == capability
                                   : newest / 10 == capability / 10 && newest <= capability;
    }
    return runs;
}

std::string architecture_text(const std::string& architectures, int device, const std::string& name,
                              int capability) {
    std::string list = "sm_" + architectures;
    for (size_t at = 0; (at = list.find_first_of(",;", at)) != std::string::npos; at += 5)
        list.replace(at, 1, ", sm_");
    const size_t ptx = list.find(", sm_ptx");
    if (ptx != std::string::npos) list.replace(ptx, 8, " and later");
    return "this plugin is built for " + list + ", " + name + " (cuda:" + std::to_string(device) +
           ") is sm_" + std::to_string(capability);
}

void check_device_index(int device, int count) {
    if (device >= 0 && device < count) return;
    fail("[cuda] there is no device cuda:%d: this process sees %d (cuda:0%s)", device, count,
         count > 1 ? (" to cuda:" + std::to_string(count - 1)).c_str() : "");
}

}  // namespace nativegrad::cuda
