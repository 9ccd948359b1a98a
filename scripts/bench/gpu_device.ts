import { execFileSync } from 'node:child_process';

import { cuda } from '../../lib/index.js';

/** A machine on which nothing can be measured. */
export class NoGpuError extends Error {
    override name = 'NoGpuError';
}

/** "1980 MHz, memory 3201 MHz, 245.10 W, 41 C" at this moment; null where nvidia-smi does not say. */
export function currentClocks(): string | null {
    try {
        const fields = 'clocks.sm,clocks.mem,power.draw,temperature.gpu';
        const line = execFileSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader'], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
        });
        const [sm, memory, power, celsius] = line.split('\n')[0].split(', ');
        return `${sm}, memory ${memory}, ${power}, ${celsius} C`;
    } catch {
        return null;
    }
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
