/** @internal Checks that sizes handed to a layer are positive integers. */
export function requireSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
    for (const [name, size] of Object.entries(sizes)) {
        if (!Number.isSafeInteger(size) || size < 1)
            throw new RangeError(`${layer}: ${name} must be a positive integer, got ${String(size)}`);
    }
}

/** @internal Options that were given, as `, stride: 2, padding: [1, 0]`; objects are left out. */
export function describeOptions(options: object): string {
    return Object.entries(options)
        .filter(([, value]) => value !== undefined && (typeof value !== 'object' || Array.isArray(value)))
        .map(([name, value]) => `, ${name}: ${JSON.stringify(value)}`)
        .join('');
}
