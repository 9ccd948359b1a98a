import { DataFileError } from '../data/data_file_error.js';
import type { MnistOptions } from '../data/index.js';
import { cacheFolder } from './cache_folder.js';
import type { OutputStream } from './streams.js';
import { UsageError } from './usage_error.js';

/**
 * Reads digits, by `readMnist` or a part of it, from the folder of `--data`, else from where they are found.
 *
 * @throws {UsageError} naming `--data`, where what it names cannot be used.
 */
export async function readDigits<Digits>(
    folder: string | undefined,
    log: OutputStream,
    read: (options: MnistOptions) => Promise<Digits>,
): Promise<Digits> {
    const onMessage = (text: string): void => void log.write(`${text}\n`);
    try {
        return await read({ folder, cacheFolder: cacheFolder(), onMessage });
    } catch (cause) {
        if (folder === undefined || !(cause instanceof DataFileError)) throw cause;
        throw new UsageError(`--data: ${cause.message}`, { cause });
    }
}
