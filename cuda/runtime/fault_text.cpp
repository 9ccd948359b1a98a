#include "runtime/fault_text.h"

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

std::string fault_text(const Probe& found, const std::string& load_error) {
    const std::string need = "CUDA " + version_text(found.runtime_version) + " needs driver " +
                             least_driver(found.runtime_version) + " or newer";
    switch (found.state) {
        case Availability::ready:
            return {};
        case Availability::no_driver:
            return "[cuda] no NVIDIA driver on this machine (" + load_error + "). " + need +
                   "; in a container, start it with the NVIDIA runtime (--gpus all).";
        case Availability::driver_too_old:
            return "[cuda] the NVIDIA driver is too old: it is " +
                   (found.driver_release.empty() ? "one" : found.driver_release) + " for CUDA " +
                   version_text(found.driver_version) + ", and " + need + ".";
        case Availability::no_device:
            return "[cuda] the NVIDIA driver finds no GPU on this machine (nvidia-smi lists them).";
        case Availability::hidden_by_environment:
            return "[cuda] CUDA_VISIBLE_DEVICES hides every GPU from this process: unset it, or name one "
                   "(0).";
        case Availability::broken:
            return "[cuda] the NVIDIA driver does not start: " + load_error;
    }
    return {};
}

void check_device_index(int device, int count) {
    if (device >= 0 && device < count) return;
    fail("[cuda] there is no device cuda:%d: this process sees %d (cuda:0%s)", device, count,
         count > 1 ? (" to cuda:" + std::to_string(count - 1)).c_str() : "");
}

}  // namespace nativegrad::cuda
