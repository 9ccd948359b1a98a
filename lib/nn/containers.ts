import { Tensor } from '../tensor/tensor.js';
import { describeValue } from '../support/describe_value.js';
import { Module, type Layer, type SequentialLayer } from './module.js';

function requireModule(op: string, value: unknown): void {
    if (value instanceof Module) return;
    const got = typeof value === 'function' ? 'a function (is `new` missing?)' : describeValue(value);
    throw new TypeError(`[${op}] expected modules, got ${got}`);
}

/**
 * Runs layers one after the other. Layers are named by their position. Of a layer that gives several outputs, as `nn.LSTM`
 * or `nn.MultiheadAttention`, the first one goes on.
 *
 * @example
 * import { nn, zeros } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(784, 256), new nn.ReLU(), new nn.Linear(256, 10));
 * console.log(model.forward(zeros([64, 784])).shape); // [64, 10]
 */
export class Sequential extends Module implements Layer {
    private readonly layers: SequentialLayer[] = [];

    constructor(...layers: SequentialLayer[]) {
        super();
        this.append(...layers);
    }

    get length(): number {
        return this.layers.length;
    }

    append(...layers: SequentialLayer[]): this {
        for (const layer of layers) {
            requireModule('Sequential', layer);
            this.layers.push(layer);
        }
        return this;
    }

    /** The layer at a position; negative ones count from the end. */
    at(index: number): SequentialLayer {
        const layer = this.layers.at(index);
        if (!layer)
            throw new RangeError(`[Sequential] there is no layer ${index} among ${this.layers.length}`);
        return layer;
    }

    override namedChildren(): [string, Module][] {
        return this.layers.map((layer, index) => [String(index), layer]);
    }

    [Symbol.iterator](): Iterator<SequentialLayer> {
        return this.layers[Symbol.iterator]();
    }

    forward(x: Tensor): Tensor {
        let y = x;
        for (const layer of this.layers) {
            const output = layer.forward(y);
            y = output instanceof Tensor ? output : output[0];
        }
        return y;
    }
}

/** A list of modules whose parameters count as its owner's; it has no forward of its own. */
export class ModuleList<M extends Module = Layer> extends Module {
    private readonly items: M[] = [];

    constructor(modules: Iterable<M> = []) {
        super();
        const isObject = typeof modules === 'object' && modules !== null;
        if (!isObject || !(Symbol.iterator in modules) || modules instanceof Tensor)
            throw new TypeError(`[ModuleList] expected a list of modules, got ${describeValue(modules)}`);
        this.append(...modules);
    }

    get length(): number {
        return this.items.length;
    }

    append(...modules: M[]): this {
        for (const module of modules) {
            requireModule('ModuleList', module);
            this.items.push(module);
        }
        return this;
    }

    /** The module at a position; negative ones count from the end. */
    at(index: number): M {
        const module = this.items.at(index);
        if (!module)
            throw new RangeError(`[ModuleList] there is no module ${index} among ${this.items.length}`);
        return module;
    }

    override namedChildren(): [string, Module][] {
        return this.items.map((module, index) => [String(index), module]);
    }

    [Symbol.iterator](): Iterator<M> {
        return this.items[Symbol.iterator]();
    }

    override forward(): never {
        throw new Error('[ModuleList] has no forward; call those of its modules');
    }
}

/** Modules by name, in the order of insertion, whose parameters count as its owner's; it has no forward of its own. */
export class ModuleDict<M extends Module = Layer> extends Module {
    private readonly items = new Map<string, M>();

    constructor(modules: Readonly<Record<string, M>> | Iterable<readonly [string, M]> = {}) {
        super();
        if (typeof modules !== 'object' || modules === null || modules instanceof Tensor)
            throw new TypeError(`[ModuleDict] expected modules by name, got ${describeValue(modules)}`);
        const entries: Iterable<readonly [string, M]> =
            Symbol.iterator in modules ? modules : Object.entries(modules);
        for (const [name, module] of entries) this.set(name, module);
    }

    get size(): number {
        return this.items.size;
    }

    set(name: string, module: M): this {
        requireModule('ModuleDict', module);
        if (name === '' || name.includes('.'))
            throw new Error(`[ModuleDict] a name must not be empty nor hold a dot, got '${name}'`);
        this.items.set(name, module);
        return this;
    }

    has(name: string): boolean {
        return this.items.has(name);
    }

    get(name: string): M {
        const module = this.items.get(name);
        if (!module)
            throw new RangeError(
                `[ModuleDict] there is no module '${name}' among ${[...this.items.keys()].join(', ')}`,
            );
        return module;
    }

    override namedChildren(): [string, Module][] {
        return [...this.items];
    }

    [Symbol.iterator](): Iterator<[string, M]> {
        return this.items[Symbol.iterator]();
    }

    override forward(): never {
        throw new Error('[ModuleDict] has no forward; call those of its modules');
    }
}
