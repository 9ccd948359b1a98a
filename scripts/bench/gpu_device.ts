import { execFileSync } from 'node:child_process';

import { cuda } from '../../lib/index.js';

/** A machine on which nothing can be measured. */
export class NoGpuError extends Error {
    override name = 'NoGpuError';
}

/** Words for nvidia-smi that ask for these fields of the GPU that this process sees first. */
export function smiQuery(...fields: readonly string[]): string[] {
    const [first = ''] = (process.env.CUDA_VISIBLE_DEVICES ?? '').split(',');
    const place = first === '' ? [] : ['-i', first];
    return [...place, `--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
}

/** The release of the driver, such as 580.65.06; null where nvidia-smi does not say. */
function driverRelease(): string | null {
    try {
        const text = execFileSync('nvidia-smi', smiQuery('driver_version'), {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
        });
        return text.split('\n')[0].trim();
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
    const release = driverRelease() ?? 'of a release that nvidia-smi does not tell';
    return [
        name,
        `driver ${release} (for CUDA ${versionText(driver)})`,
        `CUDA ${versionText(runtime)}`,
        library,
    ].join(', ');
}
