#include "gemm/library_cuda.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <sys/stat.h>

#include <mutex>
#include <vector>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

std::mutex mutex;
CublasLt functions;
LibraryState state;
bool tried = false;
cublasLtHandle_t handles[max_devices];

bool is_folder(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::vector<std::string> candidates(const std::string& given) {
    const std::string major = std::to_string(CUDART_VERSION / 1000), file = "libcublasLt.so." + major;
    std::vector<std::string> paths;
    if (!given.empty()) paths.push_back(is_folder(given) ? given + "/" + file : given);
    paths.push_back(file);
    paths.push_back("/usr/local/cuda/lib64/" + file);
    paths.push_back("/usr/local/cuda-" + major + "/lib64/" + file);
    return paths;
}

// The library at the path into `functions`, or why not.
std::string open(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return dlerror();
    CublasLt found;
#define X(name)                                                              \
    found.name = reinterpret_cast<decltype(&::name)>(dlsym(library, #name)); \
    if (found.name == nullptr) {                                             \
        dlclose(library);                                                    \
        return path + " has no " #name;                                      \
    }
    NATIVEGRAD_CUBLASLT_FUNCTIONS(X)
#undef X
    const size_t built_for = found.cublasLtGetCudartVersion();
    if (built_for / 1000 != CUDART_VERSION / 1000) {
        dlclose(library);
        return path + " is for CUDA " + std::to_string(built_for / 1000) + ", this plugin for CUDA " +
               std::to_string(CUDART_VERSION / 1000);
    }
    functions = found;
    return {};
}

}  // namespace

LibraryState load_cublaslt(const std::string& given) {
    std::lock_guard lock(mutex);
    if (state.ready) return state;
    tried = true;
    state.message = "[cuda] cuBLASLt cannot be opened. Tried:";
    for (const std::string& path : candidates(given)) {
        const std::string why = open(path);
        if (why.empty()) {
            state = {true, path, functions.cublasLtGetVersion(), ""};
            return state;
        }
        state.message += "\n  " + path + ": " + why;
    }
    state.message +=
        "\nInstall the CUDA toolkit or the wheel nvidia-cublas, or give the path of libcublasLt.so." +
        std::to_string(CUDART_VERSION / 1000) + ".";
    return state;
}

const CublasLt& cublaslt() {
    {
        std::lock_guard lock(mutex);
        if (state.ready) return functions;
        if (tried) throw Error(Status::invalid_argument, state.message);
    }
    const LibraryState loaded = load_cublaslt("");
    if (!loaded.ready) throw Error(Status::invalid_argument, loaded.message);
    return functions;
}

void check(cublasStatus_t status, const char* call) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    const char* text = cublaslt().cublasLtGetStatusString(status);
    const Status kind = status == CUBLAS_STATUS_ALLOC_FAILED ? Status::out_of_memory
                        : status == CUBLAS_STATUS_INVALID_VALUE || status == CUBLAS_STATUS_NOT_SUPPORTED
                            ? Status::invalid_argument
                            : Status::internal;
    throw Error(kind, std::string("[cuda] ") + call + ": " + text);
}

cublasLtHandle_t cublaslt_handle() {
    const CublasLt& lt = cublaslt();
    const int device = current_device();
    std::lock_guard lock(mutex);
    if (handles[device] == nullptr) {
        // check() would take the lock again.
        const cublasStatus_t status = lt.cublasLtCreate(&handles[device]);
        if (status != CUBLAS_STATUS_SUCCESS) {
            throw Error(Status::internal,
                        std::string("[cuda] cublasLtCreate: ") + lt.cublasLtGetStatusString(status));
        }
    }
    return handles[device];
}

}  // namespace nativegrad::cuda
