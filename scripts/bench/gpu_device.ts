import { execFileSync } from 'node:child_process';

import { cuda } from '../../lib/index.js';

/** A machine on which nothing can be measured. */
export class NoGpuError extends Error {
    override name = 'NoGpuError';
}

/** Fields of nvidia-smi for the GPU that this process sees first; null where it does not say. */
function query(...fields: readonly string[]): string[] | null {
    const [first = ''] = (process.env.CUDA_VISIBLE_DEVICES ?? '').split(',');
    const words = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader'];
    try {
        const line = execFileSync('nvidia-smi', [...(first === '' ? [] : ['-i', first]), ...words], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
        });
        return line.split('\n')[0].split(', ');
    } catch {
        return null;
    }
}

/** "1980 MHz, memory 3201 MHz, 245.10 W, 41 C" at this moment; null where nvidia-smi does not say. */
export function currentClocks(): string | null {
    const found = query('clocks.sm', 'clocks.mem', 'power.draw', 'temperature.gpu');
    return found && `${found[0]}, memory ${found[1]}, ${found[2]}, ${found[3]} C`;
}

const versionText = (version: number): string =>
    `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

/** Name, driver, CUDA and cuBLASLt of the first GPU. Throws NoGpuError with what is missing. */
export function describeGpu(): string {
    const reason = cuda.unavailableReason();
    if (reason !== undefined) throw new NoGpuError(`nothing is measured: ${reason}`);
    const { name, driver, runtime } = cuda.deviceInfo();
    const products = cuda.productLibrary();
    const library = 'path' in products ? `cuBLASLt ${products.version}` : 'no cuBLASLt';
    return [name, `driver for CUDA ${versionText(driver)}`, `CUDA ${versionText(runtime)}`, library].join(
        ', ',
    );
}
