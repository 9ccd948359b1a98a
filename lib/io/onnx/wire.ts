import type * as wire from '@bufbuild/protobuf/wire';

/** Reader and writer of Protocol Buffers. */
export type Wire = typeof wire;

/** Loaded where a file is read or written: programs that do neither should not wait for it when they start. */
export function loadWire(): Promise<Wire> {
    return import('@bufbuild/protobuf/wire');
}
