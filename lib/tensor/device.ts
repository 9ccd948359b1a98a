import { namedDevice } from '../native/addon.js';
import { cudaDevices } from '../native/cuda_plugin.js';
import { describeValue } from '../support/describe_value.js';
import { dtypes, type DType } from './dtype.js';

/** Where a tensor's elements lie. `cuda` is the first GPU, as `cuda:0`. */
export type Device = 'cpu' | 'cuda' | `cuda:${number}`;

/**
 * The number of a device on the native side: 0 is the CPU, 1 + i the i-th GPU. `op` begins the message.
 *
 * @throws TypeError for what names no device; CudaError where CUDA cannot be used; RangeError for a GPU that is not there.
 */
export function deviceCode(op: string, device: unknown): number {
    if (device === 'cpu') return 0;
    const ordinal = typeof device === 'string' ? /^cuda(?::(\d+))?$/.exec(device) : null;
    if (!ordinal)
        throw new TypeError(
            `[${op}] unknown device ${typeof device === 'string' ? `'${device}'` : describeValue(device)}; ` +
                "expected 'cpu', 'cuda' or 'cuda:1'",
        );
    const index = Number(ordinal[1] ?? 0);
    const count = cudaDevices(op);
    if (index < count) return 1 + index;
    throw new RangeError(
        `[${op}] there is no device 'cuda:${index}': this process sees ${count} GPU${count === 1 ? '' : 's'}, ` +
            `'cuda:0'${count > 1 ? ` to 'cuda:${count - 1}'` : ''}`,
    );
}

export function deviceName(code: number): Device {
    return code === 0 ? 'cpu' : `cuda:${code - 1}`;
}

export function isDevice(name: unknown): name is Device {
    return typeof name === 'string' && /^(cpu|cuda(:\d+)?)$/.test(name);
}

/** Throws where `target` names neither a dtype nor a device; `op` begins the message. */
export function requireTarget(op: string, target: unknown): asserts target is DType | Device {
    if (isDevice(target) || dtypes.some((name) => name === target)) return;
    throw new TypeError(
        `[${op}] unknown dtype or device ${typeof target === 'string' ? `'${target}'` : describeValue(target)}; ` +
            `expected one of ${dtypes.join(', ')}, or a device: 'cpu', 'cuda', 'cuda:0', 'cuda:1', ...`,
    );
}

let standard: Device | undefined;

/** The device of new tensors that name none. */
export function defaultDevice(): Device {
    standard ??= namedDevice === '' ? 'cpu' : deviceName(deviceCode('NATIVEGRAD_DEVICE', namedDevice));
    return standard;
}

/**
 * Makes new tensors that name no device (`zeros`, `tensor`, `rand`, parameters of layers, ...) lie on `device`, as
 * torch.set_default_device; returns the device before. Tensors that are there stay where they are.
 *
 * @throws TypeError for an unknown device; CudaError where CUDA cannot be used.
 * @example
 * import { cuda, setDefaultDevice, zeros } from 'nativegrad';
 * if (cuda.isAvailable()) setDefaultDevice('cuda');
 * console.log(zeros([2]).device);
 */
export function setDefaultDevice(device: Device): Device {
    const before = defaultDevice();
    standard = deviceName(deviceCode('setDefaultDevice', device));
    return before;
}
