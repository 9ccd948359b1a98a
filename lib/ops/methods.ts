import { Tensor } from '../tensor/tensor.js';

/**
 * Attaches functions that take a tensor first to the class, under the same names: `f(x, ...rest)` becomes `x.f(...rest)`.
 * Each family declares the methods' types beside its call.
 */
export function installMethods(functions: Record<string, (x: Tensor, ...rest: never[]) => unknown>): void {
    for (const [name, method] of Object.entries(functions)) {
        if (name in Tensor.prototype) throw new Error(`Tensor.prototype.${name} exists already`);
        Object.defineProperty(Tensor.prototype, name, {
            configurable: true,
            writable: true,
            value(this: Tensor, ...rest: never[]): unknown {
                return method(this, ...rest);
            },
        });
    }
}
