import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';

/** @internal Checks the names of a layer's options. */
export function requireOptions(layer: string, options: object, ...known: readonly string[]): void {
    requireOptionNames(`${layer}:`, options, known);
}

/** @internal Checks that sizes handed to a layer are positive integers. */
export function requireSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
    for (const [name, size] of Object.entries(sizes)) {
        if (!Number.isSafeInteger(size) || size < 1)
            throw new RangeError(`${layer}: ${name} must be a positive integer, got ${String(size)}`);
    }
}

/** @internal Checks that numbers handed to a layer are finite and not below `least`. */
export function requireNumbers(
    layer: string,
    numbers: Readonly<Record<string, unknown>>,
    least = -Infinity,
): void {
    for (const [name, value] of Object.entries(numbers)) {
        if (typeof value !== 'number' || !Number.isFinite(value) || value < least) {
            const rule = least === -Infinity ? 'a finite number' : `a finite number of at least ${least}`;
            throw new RangeError(`${layer}: ${name} must be ${rule}, got ${describeValue(value)}`);
        }
    }
}

/** @internal Checks that axes handed to a layer are integers. */
export function requireAxes(layer: string, axes: Readonly<Record<string, unknown>>): void {
    for (const [name, axis] of Object.entries(axes)) {
        if (!Number.isInteger(axis))
            throw new RangeError(`${layer}: ${name} must be an integer, got ${describeValue(axis)}`);
    }
}

/** @internal Options that were given, as `, stride: 2, padding: [1, 0]`; objects are left out. */
export function describeOptions(options: object): string {
    return Object.entries(options)
        .filter(([, value]) => value !== undefined && (typeof value !== 'object' || Array.isArray(value)))
        .map(([name, value]) => `, ${name}: ${JSON.stringify(value)}`)
        .join('');
}
