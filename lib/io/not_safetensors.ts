import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { fileKind } from './file_kind.js';
import { SafetensorsError } from './safetensors_error.js';
import { PREFIX_BYTES } from './safetensors_header.js';

const EXPECTED = 'expected a safetensors file';
const FIX = 'give a file that saveModel, saveTensors or a training run wrote, like model.safetensors';

/**
 * Tells another kind of file from a safetensors file that is damaged, so that the message can say which. `start` are the
 * file's first bytes: a safetensors file has the length of its header, below 2^32, and then `{`.
 *
 * @throws {SafetensorsError} `not-safetensors`, with what the file seems to be, what was expected and the likely fix.
 */
export function requireSafetensorsStart(start: Uint8Array, fileBytes: number): void {
    if (fileBytes === 0) {
        const fix = 'it was not written or not copied to its end: save or copy it again';
        throw new SafetensorsError('not-safetensors', 'file', `is empty, ${EXPECTED}; ${fix}`);
    }
    const hasLength = start.subarray(4, PREFIX_BYTES).every((byte) => byte === 0);
    if (start.length > PREFIX_BYTES && hasLength && start[PREFIX_BYTES] === 0x7b) return;
    const { name, fix } = fileKind(start) ?? { name: beginning(start) };
    throw new SafetensorsError('not-safetensors', 'file', `is ${name}, ${EXPECTED}; ${fix ?? FIX}`);
}

function beginning(start: Uint8Array): string {
    const bytes = Buffer.from(start.subarray(0, PREFIX_BYTES + 1)).toString('hex');
    return `another kind of file (its first bytes are ${bytes})`;
}

/** The error of a path that leads to a folder; it names the model inside where there is one. */
export async function folderError(path: string): Promise<SafetensorsError> {
    const names = await readdir(path).catch(() => []);
    const files = names.filter((name) => name.endsWith('.safetensors')).sort();
    const file = files.find((name) => name === 'model.safetensors') ?? files[0];
    const fix = file === undefined ? 'there is none inside' : `did you mean ${join(path, file)}?`;
    return new SafetensorsError('not-safetensors', 'file', `is a folder, ${EXPECTED}; ${fix}`);
}
