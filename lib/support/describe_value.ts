/** What a value is, in the words of an error message: `an array`, `a Promise`, `a Linear`. */
export function describeValue(value: unknown): string {
    if (value === null || value === undefined) return String(value);
    if (Array.isArray(value)) return 'an array';
    if (typeof value === 'function') {
        return value.name ? `the function ${value.name}` : 'a function';
    }
    if (typeof value === 'number') return String(value);
    if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
    if (typeof value === 'bigint') return `the BigInt ${value}n`;
    if (typeof value === 'boolean' || typeof value === 'symbol')
        return `the ${typeof value} ${String(value)}`;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype) return describeObject(value);
    const { name } = value.constructor;
    return name ? `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}` : 'an object';
}

function describeObject(value: object): string {
    const names = Object.keys(value);
    if (names.length === 0) return 'an empty object';
    return `an object { ${names.slice(0, 6).join(', ')}${names.length > 6 ? ', …' : ''} }`;
}

/** As `Array.isArray`, for values that their type already calls a list: it narrows nothing. */
export function isList(value: unknown): boolean {
    return Array.isArray(value);
}

/** True for a promise, or whatever else can be awaited. */
export function isPromise(value: unknown): boolean {
    return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
