/** CRC-32C (Castagnoli) by a table of 256 entries. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f6_3b78 : rest >>> 1;
    return rest;
});

/** The checksum that TensorFlow's record files use, of CRC-32C, turned and shifted by a constant. */
export function maskedCrc(bytes: Uint8Array): number {
    let crc = 0xffff_ffff;
    for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
    crc = (crc ^ 0xffff_ffff) >>> 0;
    return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
}

/** One record of a TFRecord file: length, its checksum, the bytes, their checksum. */
export function tfRecord(bytes: Uint8Array): Buffer {
    const record = Buffer.alloc(16 + bytes.length);
    record.writeBigUInt64LE(BigInt(bytes.length), 0);
    record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
    record.set(bytes, 12);
    record.writeUInt32LE(maskedCrc(bytes), 12 + bytes.length);
    return record;
}
