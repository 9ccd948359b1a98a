/** @internal Checks that sizes handed to a layer are positive integers. */
export function requireSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
    for (const [name, size] of Object.entries(sizes)) {
        if (!Number.isSafeInteger(size) || size < 1)
            throw new RangeError(`${layer}: ${name} must be a positive integer, got ${String(size)}`);
    }
}
