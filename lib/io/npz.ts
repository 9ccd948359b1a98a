import { decodeNpy, encodeNpy, encodeNpyText, type NpyArray } from './npy.js';
import { NpyError } from './npy_error.js';
import { readZip } from './zip.js';

/** One array of an archive. */
export interface NpzEntry extends NpyArray {
    readonly name: string;
}

export interface NpzContent {
    readonly entries: readonly NpzEntry[];
    /** 0-d arrays of text. */
    readonly texts: ReadonlyMap<string, string>;
}

/** Reads the bytes of a .npz archive; `maxBytes` bounds what it may unpack to. */
export function decodeNpz(bytes: Uint8Array, source: string, maxBytes: number): NpzContent {
    const entries: NpzEntry[] = [];
    const texts = new Map<string, string>();
    const members = readZip(bytes, source, maxBytes);
    const pickle = [...members.keys()].find((name) => name.endsWith('.pkl'));
    if (pickle !== undefined)
        throw new NpyError(
            source,
            `holds the pickle ${JSON.stringify(pickle)}, as PyTorch's .pt files do: reading one may run any code, so it is refused; ` +
                'save the weights in Python with safetensors.torch.save_file(model.state_dict(), path)',
        );
    for (const [member, content] of members) {
        if (!member.endsWith('.npy'))
            throw new NpyError(
                source,
                `holds ${JSON.stringify(member.slice(0, 80))}, expected .npy members only`,
            );
        const name = member.slice(0, -4);
        const array = decodeNpy(content, `${source}: ${member}`);
        if ('text' in array) texts.set(name, array.text);
        else entries.push({ name, ...array });
    }
    return { entries, texts };
}

/**
 * The bytes of a .npz archive, as np.savez (or np.savez_compressed) writes it; the same content gives the same bytes.
 *
 * @throws {NpyError} for a name that no archive can hold, and for bfloat16.
 */
export async function encodeNpz(
    entries: readonly NpzEntry[],
    texts: Readonly<Record<string, string>>,
    isCompressed: boolean,
    source: string,
): Promise<Uint8Array> {
    const members = new Map<string, Uint8Array[]>();
    const add = (name: string, chunks: Uint8Array[]): void => {
        if (name === '' || /[\\\0]|^\/|^[A-Za-z]:|(^|\/)\.\.?(\/|$)/.test(`${name}.npy`) || members.has(name))
            throw new NpyError(
                source,
                `cannot hold an array named ${JSON.stringify(name)}; give it another name`,
            );
        members.set(name, chunks);
    };
    for (const { name, ...array } of entries) add(name, encodeNpy(array, `${source}: ${name}`));
    for (const [name, text] of Object.entries(texts)) add(name, encodeNpyText(text));
    const size = [...members.values()].flat().reduce((sum, { length }) => sum + length, 0);
    if (size > 0xf000_0000 || members.size > 65_534)
        throw new NpyError(source, 'is too large for a .npz archive (4 GB); use saveTensors and safetensors');
    const { zipSync } = await import('fflate');
    const files = [...members].map(([name, chunks]) => [`${name}.npy`, Buffer.concat(chunks)] as const);
    return zipSync(Object.fromEntries(files), { level: isCompressed ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
