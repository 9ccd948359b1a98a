import { noGrad } from '../autograd/grad_mode.js';
import { clone } from '../ops/convert.js';
import { keep } from '../tensor/lifetime.js';
import { Tensor } from '../tensor/tensor.js';
import { Module, wrapForward } from './module.js';
import { Parameter } from './parameter.js';

type Copies = Map<unknown, unknown>;

function copyTensor(x: Tensor): Tensor {
    const data = noGrad(() => clone(x));
    if (!(x instanceof Parameter)) return keep(data);
    return new Parameter(data, { requiresGrad: x.needsGrad });
}

function isPlainObject(value: object): boolean {
    return Object.getPrototypeOf(value) === Object.prototype;
}

/** Copies modules and tensors, also inside arrays, maps, sets and plain objects; anything else is shared. */
function copyValue(value: unknown, copies: Copies): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    const remember = <T>(copy: T): T => {
        copies.set(value, copy);
        return copy;
    };
    if (value instanceof Tensor) return remember(copyTensor(value));
    if (value instanceof Module) {
        const copy = remember(Object.create(Object.getPrototypeOf(value) as object) as Module);
        for (const [key, item] of Object.entries(value)) {
            Object.defineProperty(copy, key, {
                configurable: true,
                enumerable: true,
                writable: true,
                value: copyValue(item, copies),
            });
        }
        wrapForward(copy);
        return copy;
    }
    if (Array.isArray(value)) return remember(value.map((item: unknown) => copyValue(item, copies)));
    if (value instanceof Set) return remember(new Set([...value].map((item) => copyValue(item, copies))));
    if (value instanceof Map) {
        const copy = remember(new Map<unknown, unknown>());
        for (const [key, item] of value) copy.set(key, copyValue(item, copies));
        return copy;
    }
    if (!isPlainObject(value)) return value;
    return remember(
        Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyValue(item, copies)])),
    );
}

/** @internal The body of `Module.clone`. */
export function copyModule<M extends Module>(module: M): M {
    return copyValue(module, new Map()) as M;
}
