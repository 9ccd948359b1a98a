export function requireSameLength(name: string, a: number, b: number, what = 'labels and predictions'): void {
    if (a !== b) throw new RangeError(`[${name}] ${what} differ in length: ${a} and ${b}`);
}

export function requireRows(name: string, length: number, classes: number): number {
    requireCount(name, 'classes', classes);
    if (length % classes !== 0) {
        throw new RangeError(`[${name}] ${length} scores do not divide into rows of ${classes} classes`);
    }
    return length / classes;
}

export function requireCount(name: string, what: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 1) {
        throw new RangeError(`[${name}] ${what} must be a positive integer, got ${value}`);
    }
}

export function requireClass(
    name: string,
    what: string,
    value: number,
    index: number,
    classes: number,
): number {
    if (!Number.isInteger(value) || value < 0 || value >= classes) {
        const range = `an integer from 0 to ${classes - 1}`;
        throw new RangeError(`[${name}] ${what} ${value} at position ${index} is not ${range}`);
    }
    return value;
}
