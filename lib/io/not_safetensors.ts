import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

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
export async function requireSafetensorsStart(start: Uint8Array, path: string): Promise<void> {
    if (start.length === 0) {
        const fix = 'it was not written or not copied to its end: save or copy it again';
        throw new SafetensorsError('not-safetensors', 'file', `is empty, ${EXPECTED}; ${fix}`);
    }
    const hasLength = start.subarray(4, PREFIX_BYTES).every((byte) => byte === 0);
    if (start.length > PREFIX_BYTES && hasLength && start[PREFIX_BYTES] === 0x7b) return;
    const { name, fix } = fileKind(start) ?? { name: beginning(start) };
    const hint = fix ?? (await neighbourHint(path)) ?? FIX;
    throw new SafetensorsError('not-safetensors', 'file', `is ${name}, ${EXPECTED}; ${hint}`);
}

function beginning(start: Uint8Array): string {
    const bytes = Buffer.from(start.subarray(0, PREFIX_BYTES + 1)).toString('hex');
    return `another kind of file (its first bytes are ${bytes})`;
}

/** The error of a path that leads to a folder; it names the model inside where there is one. */
export async function folderError(path: string): Promise<SafetensorsError> {
    const hint = (await hintOf(path, '')) ?? 'there is none inside';
    return new SafetensorsError('not-safetensors', 'file', `is a folder, ${EXPECTED}; ${hint}`);
}

/** Names another safetensors file of the same folder, if there is one. */
export function neighbourHint(path: string): Promise<string | undefined> {
    return hintOf(dirname(path), path);
}

/** Names the likeliest safetensors file of a folder, if there is one besides `path`. */
async function hintOf(folder: string, path: string): Promise<string | undefined> {
    const names = await readdir(folder).catch((): string[] => []);
    const files = names.filter((name) => name.endsWith('.safetensors') && name !== basename(path)).sort();
    const file = files.find((name) => name === 'model.safetensors') ?? files[0];
    return file === undefined ? undefined : `did you mean ${join(folder, file)}?`;
}
