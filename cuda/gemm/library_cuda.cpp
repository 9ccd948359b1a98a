#include "gemm/library_cuda.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <glob.h>
#include <sys/stat.h>

#include <mutex>
#include <vector>

#include "backend/error.h"
#include "runtime/check_cuda.h"
#include "runtime/room.h"

namespace nativegrad::cuda {

namespace {

// Never destroyed: threads may multiply while the process ends.
struct Library {
    std::mutex mutex;
    std::string only, also;
    CublasLt functions;
    LibraryState state;
    bool tried = false;
    cublasLtHandle_t handles[max_devices]{};
};

Library& library() {
    static Library* const instance = new Library;
    return *instance;
}

bool is_folder(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// The folder of the file that holds this code.
std::string own_folder() {
    Dl_info info;
    if (dladdr(reinterpret_cast<const void*>(&is_folder), &info) == 0 || info.dli_fname == nullptr) return {};
    const std::string path = info.dli_fname;
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Folders of wheels in the toolkit that the build sets up, build-cuda-toolkit beside build-cuda/.
void add_wheels(const std::string& folder, const std::string& file, std::vector<std::string>& paths) {
    const std::string packages = folder + "/../build-cuda-toolkit/lib/python3*/site-packages/nvidia/";
    for (const char* place : {"cu13/lib/", "cublas/lib/"}) {
        glob_t found{};
        if (glob((packages + place + file).c_str(), 0, nullptr, &found) == 0)
            paths.insert(paths.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
        globfree(&found);
    }
}

std::vector<std::string> candidates(const std::string& only, const std::string& also) {
    const std::string major = std::to_string(CUDART_VERSION / 1000), file = "libcublasLt.so." + major;
    if (!only.empty()) return {is_folder(only) ? only + "/" + file : only};
    const std::string folder = own_folder();
    std::vector<std::string> paths{folder + "/" + file};
    add_wheels(folder, file, paths);
    if (!also.empty()) paths.push_back(also + "/" + file);
    paths.push_back(file);
    paths.push_back("/usr/local/cuda/lib64/" + file);
    paths.push_back("/usr/local/cuda-" + major + "/lib64/" + file);
    return paths;
}

// The functions of the library at the path, or why not.
std::string open(const std::string& path, CublasLt& functions) {
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

void name_cublaslt(const std::string& only, const std::string& also) {
    Library& lib = library();
    std::lock_guard lock(lib.mutex);
    lib.only = only;
    lib.also = also;
    lib.tried = false;
}

LibraryState load_cublaslt() {
    Library& lib = library();
    std::lock_guard lock(lib.mutex);
    if (lib.state.ready) return lib.state;
    lib.tried = true;
    std::string tried = "[cuda] cuBLASLt cannot be opened. Tried:";
    for (const std::string& path : candidates(lib.only, lib.also)) {
        const std::string why = open(path, lib.functions);
        if (why.empty()) {
            lib.state = {true, path, lib.functions.cublasLtGetVersion(), ""};
            return lib.state;
        }
        // The linker's message begins with the path itself.
        tried += "\n  " + (why.compare(0, path.size(), path) == 0 ? why : path + ": " + why);
    }
    lib.state.message =
        tried +
        "\nInstall the CUDA toolkit or the wheel nvidia-cublas, or let NATIVEGRAD_CUBLASLT name "
        "libcublasLt.so." +
        std::to_string(CUDART_VERSION / 1000) + ".";
    return lib.state;
}

const CublasLt& cublaslt() {
    Library& lib = library();
    {
        std::lock_guard lock(lib.mutex);
        if (lib.state.ready) return lib.functions;
        if (lib.tried) throw Error(Status::invalid_argument, lib.state.message);
    }
    const LibraryState loaded = load_cublaslt();
    if (!loaded.ready) throw Error(Status::invalid_argument, loaded.message);
    return lib.functions;
}

void check(cublasStatus_t status, const char* call) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    // What a kernel did to the device is told as such.
    if (status == CUBLAS_STATUS_EXECUTION_FAILED || status == CUBLAS_STATUS_INTERNAL_ERROR)
        check(cudaGetLastError(), call);
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
    Library& lib = library();
    cublasLtHandle_t handle = nullptr;
    {
        std::lock_guard lock(lib.mutex);
        handle = lib.handles[device];
    }
    if (handle != nullptr) return handle;
    // Outside of the lock: room is made by others, and the error's text needs the lock.
    with_room([&] { check(lt.cublasLtCreate(&handle), "cublasLtCreate"); });
    std::lock_guard lock(lib.mutex);
    if (lib.handles[device] == nullptr) lib.handles[device] = handle;
    return lib.handles[device];
}

}  // namespace nativegrad::cuda
