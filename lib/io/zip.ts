import { crc32, inflateRawSync } from 'node:zlib';

import { NpyError } from './npy_error.js';

interface Member {
    readonly name: string;
    readonly method: number;
    readonly crc: number;
    readonly packed: number;
    readonly size: number;
    readonly start: number;
}

const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const MAX_MEMBERS = 1_000_000;

/**
 * The members of a ZIP archive by name (PKWARE's APPNOTE 6.3.10, with the 64-bit fields that NumPy writes). As coming from anyone:
 * sizes, names, overlaps and the sum of all unpacked sizes are checked before anything is unpacked, each member must unpack to exactly
 * its size and checksum, and names that lead elsewhere are refused.
 *
 * @throws {NpyError} naming the member.
 */
export function readZip(bytes: Uint8Array, source: string, maxBytes: number): Map<string, Uint8Array> {
    const fail = (detail: string): never => {
        throw new NpyError(source, detail);
    };
    const members = readDirectory(bytes, fail);
    const total = members.reduce((sum, { size }) => sum + size, 0);
    if (total > maxBytes)
        fail(`unpacks to ${total} bytes, the limit is ${maxBytes}; if the file is yours, raise maxBytes`);
    return new Map(members.map((member) => [member.name, unpack(bytes, member, fail)]));
}

type Fail = (detail: string) => never;

function readDirectory(bytes: Uint8Array, fail: Fail): Member[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { count, offset, end } = findDirectory(view, fail);
    const members: Member[] = [];
    const names = new Set<string>();
    let [at, dataEnd] = [offset, 0];
    for (let i = 0; i < count; i++) {
        if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50)
            fail(`damaged ZIP directory: member ${i} of ${count} is missing`);
        const length = 46 + [28, 30, 32].reduce((sum, field) => sum + view.getUint16(at + field, true), 0);
        if (at + length > end) fail(`damaged ZIP directory: member ${i} goes beyond its end`);
        const member = readMember(bytes, view, at, offset, fail);
        if (names.has(member.name)) fail(`holds ${JSON.stringify(member.name)} twice`);
        names.add(member.name);
        members.push(member);
        at += length;
    }
    for (const { name, start, packed } of [...members].sort(
        (a, b) => a.start - b.start || a.packed - b.packed,
    )) {
        if (start < dataEnd) fail(`the member ${JSON.stringify(name)} overlaps another one`);
        dataEnd = start + packed;
    }
    return members;
}

function findDirectory(view: DataView, fail: Fail): { count: number; offset: number; end: number } {
    let at = view.byteLength - END_BYTES;
    const least = Math.max(0, at - MAX_COMMENT);
    const isEnd = (place: number): boolean =>
        view.getUint32(place, true) === 0x06054b50 &&
        place + END_BYTES + view.getUint16(place + 20, true) === view.byteLength;
    while (at >= least && !isEnd(at)) at--;
    if (at < least) fail('is no ZIP archive, or cut short: its directory at the end is missing');
    let [count, size, offset, end] = [
        view.getUint16(at + 10, true),
        view.getUint32(at + 12, true),
        view.getUint32(at + 16, true),
        at,
    ];
    if (at >= 20 && view.getUint32(at - 20, true) === 0x07064b50) {
        end = Number(view.getBigUint64(at - 12, true));
        if (end + 56 > at - 20 || view.getUint32(end, true) !== 0x06064b50)
            fail('damaged ZIP directory: its 64-bit part is not where it should be');
        [count, size, offset] = [32, 40, 48].map((field) => Number(view.getBigUint64(end + field, true))) as [
            number,
            number,
            number,
        ];
    }
    if (offset + size !== end || count > MAX_MEMBERS)
        fail(`damaged ZIP directory: ${count} members in ${size} bytes at ${offset} do not end at ${end}`);
    return { count, offset, end };
}

function readMember(bytes: Uint8Array, view: DataView, at: number, dataEnd: number, fail: Fail): Member {
    const nameLength = view.getUint16(at + 28, true);
    const name = Buffer.from(bytes.subarray(at + 46, at + 46 + nameLength)).toString('utf8');
    const what = `the member ${JSON.stringify(name.slice(0, 80))}`;
    if (name === '' || /[\\\0]|^\/|^[A-Za-z]:|(^|\/)\.\.?(\/|$)/.test(name))
        fail(`${what} has a path that leads elsewhere; it is refused`);
    if ((view.getUint16(at + 8, true) & 1) !== 0) fail(`${what} is encrypted`);
    const method = view.getUint16(at + 10, true);
    if (method !== 0 && method !== 8)
        fail(`${what} is packed by method ${method}, expected 0 or 8 (deflate)`);
    const wide = wideFields(view, at, nameLength);
    const [size, packed, header] = [24, 20, 42].map((field) => {
        const value = view.getUint32(at + field, true);
        return value === 0xffffffff ? (wide.shift() ?? fail(`${what} lacks its 64-bit sizes`)) : value;
    }) as [number, number, number];
    if (header + 30 > dataEnd || view.getUint32(header, true) !== 0x04034b50)
        fail(`${what} is not where the directory says`);
    const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (start + packed > dataEnd) fail(`${what} is cut short`);
    if (method === 0 && packed !== size) fail(`${what} has two sizes, ${packed} and ${size}`);
    return { name, method, crc: view.getUint32(at + 16, true), packed, size, start };
}

/** The 64-bit values of a directory entry, for those fields that hold 2^32 - 1. */
function wideFields(view: DataView, at: number, nameLength: number): number[] {
    const end = at + 46 + nameLength + view.getUint16(at + 30, true);
    for (let place = at + 46 + nameLength; place + 4 <= end;) {
        const length = view.getUint16(place + 2, true);
        if (view.getUint16(place, true) === 1 && place + 4 + length <= end)
            return Array.from({ length: length >> 3 }, (_, i) =>
                Number(view.getBigUint64(place + 4 + 8 * i, true)),
            );
        place += 4 + length;
    }
    return [];
}

function unpack(bytes: Uint8Array, member: Member, fail: Fail): Uint8Array {
    const { name, method, crc, packed, size, start } = member;
    const what = `the member ${JSON.stringify(name.slice(0, 80))}`;
    const data = bytes.subarray(start, start + packed);
    const content = method === 0 ? data : inflate(data, size, what, fail);
    if (content.length !== size) fail(`${what} unpacks to ${content.length} bytes, expected ${size}`);
    if (crc32(content) !== crc) fail(`${what} is damaged: its checksum (CRC-32) differs`);
    return content;
}

function inflate(data: Uint8Array, size: number, what: string, fail: Fail): Uint8Array {
    try {
        // One byte more, so that a member that goes on is seen; no more, so that it cannot fill the memory.
        return inflateRawSync(data, { maxOutputLength: size + 1 });
    } catch (cause) {
        return fail(
            `${what} is damaged or larger than it says: ${cause instanceof Error ? cause.message : String(cause)}`,
        );
    }
}
