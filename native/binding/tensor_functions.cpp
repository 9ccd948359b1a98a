// Functions on single tensors: views, reading, writing, disposal.
#include <algorithm>
#include <cstring>

#include "binding/argument_reader.h"
#include "binding/arguments.h"
#include "binding/environment.h"
#include "binding/read_thread.h"

namespace nativegrad {

namespace {

Handle read_handle(napi_env env, napi_value value) {
    double number = 0;
    if (napi_get_value_double(env, value, &number) != napi_ok ||
        !(number > 0 && number <= 9007199254740992.0))
        return 0;
    return static_cast<Handle>(number);
}

TensorSlot& slot_at(napi_env env, napi_value value) {
    TensorSlot* slot = environment_of(env).handles.find(read_handle(env, value));
    if (slot == nullptr) fail("a tensor was used after it was disposed");
    return *slot;
}

struct Bytes {
    char* data = nullptr;
    size_t size = 0;
};

// The memory of a typed array, valid until JavaScript runs again.
Bytes bytes_of(napi_env env, napi_value value) {
    bool is_typed_array = false;
    napi_is_typedarray(env, value, &is_typed_array);
    if (!is_typed_array) fail("expected a typed array");
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok)
        fail("expected a typed array");
    size_t item = 1;
    switch (type) {
        case napi_int16_array:
        case napi_uint16_array:
            item = 2;
            break;
        case napi_int32_array:
        case napi_uint32_array:
        case napi_float32_array:
            item = 4;
            break;
        case napi_float64_array:
        case napi_bigint64_array:
        case napi_biguint64_array:
            item = 8;
            break;
        default:
            break;
    }
    return {static_cast<char*>(data), length * item};
}

constexpr size_t block_length = 4096;

// block(): the environment's argument block, a Float64Array that is made by the first call and shared by all
// others, so that two copies of the library in one environment do not cut each other off
napi_value block(napi_env env, napi_callback_info) {
    return guarded(env, [&]() -> napi_value {
        Environment& environment = environment_of(env);
        napi_value array = nullptr;
        if (environment.block_reference != nullptr) {
            napi_get_reference_value(env, environment.block_reference, &array);
            return array;
        }
        napi_value buffer;
        void* data = nullptr;
        const bool made =
            napi_create_arraybuffer(env, block_length * sizeof(double), &data, &buffer) == napi_ok &&
            napi_create_typedarray(env, napi_float64_array, block_length, buffer, 0, &array) == napi_ok &&
            napi_create_reference(env, array, 1, &environment.block_reference) == napi_ok;
        if (!made) throw Error(Status::out_of_memory, "no memory left for the argument block");
        environment.block = static_cast<double*>(data);
        environment.block_length = block_length;
        return array;
    });
}

// Smallest and one past the largest element offset that the view reaches; refuses what leaves the storage.
void check_bounds(const TensorView& view, int64_t offset, int64_t storage_bytes) {
    int64_t last = offset;
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (view.shape[axis] == 0) return;
        int64_t reach;
        if (view.strides[axis] < 0 ||
            __builtin_mul_overflow(view.strides[axis], view.shape[axis] - 1, &reach) ||
            __builtin_add_overflow(last, reach, &last)) {
            fail("[view] strides must be non-negative and inside the storage");
        }
    }
    if (offset < 0 || last >= storage_bytes / static_cast<int64_t>(item_size(view.dtype)))
        fail("[view] reaches outside the storage");
}

// view(object): block holds handle, element offset relative to it, rank, sizes, strides; on return its handle
napi_value view(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "[view] takes the new tensor object");
        Environment& environment = environment_of(env);
        ArgumentReader reader(environment.block, environment.block_length);
        TensorSlot* base = environment.handles.find(reader.integer());
        if (base == nullptr) fail("[view] a tensor was used after it was disposed");
        const StorageRef storage = base->storage;
        const int32_t device = base->device;
        TensorView result = base->view;
        const int64_t item = static_cast<int64_t>(item_size(result.dtype));
        const int64_t base_offset =
            (static_cast<char*>(result.data) - static_cast<char*>(storage->data())) / item;
        const int64_t offset = base_offset + reader.integer();
        result.rank = static_cast<int32_t>(reader.integer(0, max_rank, "rank"));
        for (int32_t axis = 0; axis < result.rank; ++axis)
            result.shape[axis] = reader.integer(0, INT64_MAX, "size");
        for (int32_t axis = 0; axis < result.rank; ++axis) result.strides[axis] = reader.integer();
        check_bounds(result, offset, storage->bytes());
        // A loop of views alone allocates nothing, but fills the table.
        environment.handles.make_room(0);
        result.data = static_cast<char*>(storage->data()) + (element_count(result) == 0 ? 0 : offset * item);
        environment.block[0] =
            static_cast<double>(environment.handles.insert(arguments.values[0], storage, result, device));
        return nullptr;
    });
}

// strides(handle): fills the block with the tensor's strides
napi_value strides(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "strides takes a handle");
        const TensorView& view = slot_at(env, arguments.values[0]).view;
        double* block = environment_of(env).block;
        for (int32_t axis = 0; axis < view.rank; ++axis)
            block[axis] = static_cast<double>(view.strides[axis]);
        return nullptr;
    });
}

// dispose(handle): true when the handle was alive
napi_value dispose(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "dispose takes a handle");
        napi_value result;
        napi_get_boolean(env, environment_of(env).handles.remove(read_handle(env, arguments.values[0])),
                         &result);
        return result;
    });
}

// fromData(object, data): block holds device, dtype, rank, sizes; data is a typed array with the elements in
// row-major order
napi_value from_data(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2, "[tensor] takes the new tensor object and its data");
        Environment& environment = environment_of(env);
        ArgumentReader reader(environment.block, environment.block_length);
        TensorView view{};
        const int32_t device = static_cast<int32_t>(reader.integer(0, device_count() - 1, "device"));
        view.dtype = static_cast<DType>(reader.integer(0, dtype_count - 1, "dtype"));
        view.rank = static_cast<int32_t>(reader.integer(0, max_rank, "rank"));
        for (int32_t axis = 0; axis < view.rank; ++axis)
            view.shape[axis] = reader.integer(0, INT64_MAX, "size");
        const Bytes bytes = bytes_of(env, arguments.values[1]);
        if (bytes.size != static_cast<size_t>(element_count(view)) * item_size(view.dtype))
            fail("[tensor] the data has the wrong size");
        set_row_major_strides(view);
        StorageRef storage = environment.allocate(device, static_cast<int64_t>(bytes.size));
        // Allocating may have run the collector, not JavaScript: the array's memory stays where it was.
        ErrorMessage error{};
        require_ok(storage->backend().copy_from_host(storage->placement().where, storage->data(), bytes.data,
                                                     bytes.size, &error),
                   error);
        view.data = storage->data();
        if (environment.active_recorder() != nullptr) environment.recorder->add_constant(storage);
        environment.block[0] = static_cast<double>(
            environment.handles.insert(arguments.values[0], std::move(storage), view, device));
        return nullptr;
    });
}

// Copies dense elements to `to`, by way of the host where the two lie on different devices.
void copy_dense(const Storage& source, const void* from, const Placement& target, void* to, size_t bytes) {
    ErrorMessage error{};
    const Placement& origin = source.placement();
    if (origin.backend == device_at(0).backend) {
        require_ok(target.backend->copy_from_host(target.where, to, from, bytes, &error), error);
        return;
    }
    std::vector<char> host;
    void* between = to;
    if (target.backend != device_at(0).backend) {
        host.resize(bytes);
        between = host.data();
    }
    require_ok(origin.backend->copy_to_host(origin.where, between, from, bytes, &error), error);
    if (between != to)
        require_ok(target.backend->copy_from_host(target.where, to, between, bytes, &error), error);
}

// move(object): block holds the handle of a dense tensor and a device; on return the handle of a copy there,
// with the same strides
napi_value move(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "[to] takes the new tensor object");
        Environment& environment = environment_of(env);
        ArgumentReader reader(environment.block, environment.block_length);
        const TensorSlot* slot = environment.handles.find(reader.integer());
        if (slot == nullptr) fail("[to] a tensor was used after it was disposed");
        if (environment.active_recorder() != nullptr)
            fail(
                "[to] a captured step works on one device; move the tensor before the step, or make it an "
                "input");
        const StorageRef source = slot->storage;
        check_usable(environment, *source.get(), false);
        TensorView view = slot->view;
        if (!is_dense(view)) fail("[to] the tensor is not dense");
        const int32_t device = static_cast<int32_t>(reader.integer(0, device_count() - 1, "device"));
        const int64_t bytes = element_count(view) * static_cast<int64_t>(item_size(view.dtype));
        StorageRef storage = environment.allocate(device, bytes);
        copy_dense(*source.get(), view.data, storage->placement(), storage->data(),
                   static_cast<size_t>(bytes));
        view.data = storage->data();
        environment.block[0] = static_cast<double>(
            environment.handles.insert(arguments.values[0], std::move(storage), view, device));
        return nullptr;
    });
}

// The tensor, which must be row-major and as large as the array, and whose elements can be read.
const TensorSlot& readable_slot(napi_env env, napi_value handle, size_t bytes) {
    const TensorSlot& slot = slot_at(env, handle);
    if (is_recorded(*slot.storage.get()))
        fail(
            "[data] the tensor was made while a step was captured and has no elements yet; return it from "
            "the step, and read it afterwards");
    check_usable(environment_of(env), *slot.storage.get(), false);
    const size_t needed = static_cast<size_t>(element_count(slot.view)) * item_size(slot.view.dtype);
    if (!is_row_major(slot.view) || bytes != needed)
        fail("[data] the tensor is not contiguous or the array has the wrong size");
    return slot;
}

// read(handle, target): copies the elements of a row-major tensor into a typed array of the same byte size
napi_value read(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2, "[data] takes a handle and a typed array");
        const Bytes bytes = bytes_of(env, arguments.values[1]);
        const TensorSlot& slot = readable_slot(env, arguments.values[0], bytes.size);
        ErrorMessage error{};
        require_ok(slot.storage->backend().copy_to_host(slot.storage->placement().where, bytes.data,
                                                        slot.view.data, bytes.size, &error),
                   error);
        return nullptr;
    });
}

// readLater(handle, target): the same without waiting for the device, with a promise for the end. The
// elements are those that the work given so far leaves; the tensor may be written or disposed of at once.
napi_value read_later(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2, "[data] takes a handle and a typed array");
        Environment& environment = environment_of(env);
        const Bytes bytes = bytes_of(env, arguments.values[1]);
        const TensorSlot& slot = readable_slot(env, arguments.values[0], bytes.size);
        if (environment.read_thread == nullptr) environment.read_thread = std::make_unique<ReadThread>(env);
        const Placement placement = slot.storage->placement();
        ErrorMessage error{};
        void* begun = nullptr;
        require_ok(placement.backend->begin_read(placement.where, slot.view.data, bytes.size, &begun, &error),
                   error);
        return environment.read_thread->start(placement, begun, arguments.values[1], bytes.data);
    });
}

}  // namespace

void define_tensor_functions(napi_env env, napi_value exports) {
    define_function(env, exports, "block", &block);
    define_function(env, exports, "view", &view);
    define_function(env, exports, "strides", &strides);
    define_function(env, exports, "dispose", &dispose);
    define_function(env, exports, "fromData", &from_data);
    define_function(env, exports, "read", &read);
    define_function(env, exports, "readLater", &read_later);
    define_function(env, exports, "move", &move);
}

}  // namespace nativegrad
