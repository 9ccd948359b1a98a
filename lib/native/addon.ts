import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { loadAddon } from './loader.js';

/** Names and orders of the native contract; `lib/native` looks its numbers up here, so neither side can drift. */
export interface Contract {
    readonly ops: readonly string[];
    readonly parameters: Readonly<Record<string, readonly string[]>>;
    readonly unary: readonly string[];
    readonly binary: readonly string[];
    readonly compare: readonly string[];
}

/** Counters of the memory behind tensors, in bytes and tensors. */
export interface MemoryStatistics {
    /** Tensors of this environment (main thread or worker) that native memory is held for. */
    readonly tensors: number;
    /** Walks over the handle table, tensors freed by them, and garbage collections asked for. */
    readonly sweeps: number;
    readonly swept: number;
    readonly collections: number;
    /** Bytes held by tensors of the process on the device, freed bytes kept for reuse, the largest `liveBytes`, the limit (0 = none). */
    readonly liveBytes: number;
    readonly cachedBytes: number;
    readonly peakBytes: number;
    readonly limitBytes: number;
}

/** What a device says of itself. */
export interface DeviceInfo {
    /** `cpu`, `cuda`, or that of a plugin for tests. */
    readonly backend: string;
    readonly name: string;
    readonly memoryBytes: number;
    /** Compute capability; 0 on the CPU. */
    readonly major: number;
    readonly minor: number;
    /** Multiprocessors, or logical processors of the CPU. */
    readonly processors: number;
    /** Versions as CUDA counts them: 13000 is 13.0; 0 on the CPU. */
    readonly driver: number;
    readonly runtime: number;
}

/** Memory of a device by its own count, in bytes. */
export interface DeviceMemory {
    /** What no process holds. */
    readonly freeBytes: number;
    readonly totalBytes: number;
}

/** A library that a device opened. */
export interface LibraryFile {
    readonly path: string;
    /** As the library counts it: 130100 is 13.1.0. */
    readonly version: number;
    /** How many fastest ways of products are known, and where they are kept. */
    readonly choices: string;
}

/** What the process has asked of the devices of a kind so far. */
export interface WorkCounts {
    /** Times that a thread waited for a device. */
    readonly hostWaits: number;
    readonly copiesFromHost: number;
    readonly copiesToHost: number;
    /** Kernels given to queues one by one. */
    readonly launches: number;
    readonly graphLaunches: number;
}

declare const programBrand: unique symbol;

/** A captured program; opaque, freed with the object. */
export interface NativeProgram {
    readonly [programBrand]: true;
}

/** Runs one program, or several side by side; the values of their slots stand one program after the other. */
export type RunPrograms<Result> = (
    programs: NativeProgram | readonly NativeProgram[],
    steps: number,
    rows: Float64Array,
    stacked: boolean,
) => Result;

/** What the addon exports. Tensors cross as integer handles; arguments of ops travel in one block. */
export interface Addon {
    block(): Float64Array;
    run(op: number, ...newTensors: object[]): void;
    view(newTensor: object): void;
    strides(handle: number): void;
    dispose(handle: number): boolean;
    fromData(newTensor: object, data: NodeJS.TypedArray): void;
    read(handle: number, target: NodeJS.TypedArray): void;
    readLater(handle: number, target: NodeJS.TypedArray): Promise<void>;
    captureBegin(...standIns: object[]): void;
    capturePause(paused: boolean): void;
    captureAbort(): void;
    captureEnd(
        results: Float64Array,
        kept: Float64Array,
        changingSlots: Int32Array,
        exact: boolean,
        fused: boolean,
    ): NativeProgram[];
    readonly checkReplay: RunPrograms<void>;
    readonly replay: RunPrograms<void>;
    readonly replayAsync: RunPrograms<Promise<void>>;
    joinPrograms(programs: readonly NativeProgram[], models: Int32Array): number;
    setTimed(program: NativeProgram, timed: boolean): void;
    programCalls(
        program: NativeProgram,
    ): readonly { op: string; shapes: string; bytes: number; once: boolean; nanoseconds: number }[];
    programStats(program: NativeProgram): void;
    programExecution(program: NativeProgram): string;
    programReordered(program: NativeProgram, tensors: Float64Array): boolean[];
    contract(): Contract;
    move(newTensor: object): void;
    loadPlugin(path: string): void;
    deviceCount(): number;
    deviceInfo(device: number): DeviceInfo;
    synchronize(device: number): void;
    nameLibrary(only: string, also: string): void;
    configureProducts(file: string, deterministic: boolean): void;
    library(device: number): LibraryFile;
    memory(device: number): MemoryStatistics;
    deviceMemory(device: number): DeviceMemory;
    workCounts(device: number): WorkCounts;
    sweep(): number;
    setMemoryLimit(bytes: number, device: number): void;
    emptyCache(device: number): number;
    resetPeak(device: number): void;
    threadCount(): number;
    setThreads(count: number, spinMicroseconds: number, processors: Int32Array): void;
    threadOptions(): { count: number; spinMicroseconds: number; processors: readonly number[] };
    instructionSets(): { best: string; used: string };
    useInstructionSet(name: string): void;
    measurePeak(options?: { seconds?: number }): number;
}

export const native = loadAddon() as Addon;

const forcedInstructionSet = process.env.NATIVEGRAD_ISA;
if (forcedInstructionSet) native.useInstructionSet(forcedInstructionSet);

/** The plugin file to use in place of the installed one; empty where none is named. */
export const namedPlugin = process.env.NATIVEGRAD_CUDA ?? '';

/** The file or folder of libcublasLt in place of the usual places; empty where none is named. */
export const namedLibrary = process.env.NATIVEGRAD_CUBLASLT ?? '';

/** The folder of what programs may keep between runs: `XDG_CACHE_HOME` where that is absolute, else `.cache` at home. */
const namedCache = process.env.XDG_CACHE_HOME ?? '';
export const cacheFolder = isAbsolute(namedCache) ? namedCache : join(homedir(), '.cache');

/** The CUDA toolkit of the machine; empty where none is named. */
export const cudaHome = process.env.CUDA_HOME ?? '';

/** The device of new tensors that name none, for tests; empty where none is named. */
export const namedDevice = process.env.NATIVEGRAD_DEVICE ?? '';

export const contract = native.contract();
