import {
    currentScope,
    enterScope,
    leaveScope,
    untrack,
    type Disposable,
    type ScopeMembers,
} from '../tensor/lifetime.js';
import { Tensor } from '../tensor/tensor.js';
import { nodeOf, type GradNode } from './node.js';

/** Tensors inside a returned value: itself, or elements of arrays, maps, sets and plain objects. */
function tensorsIn(value: unknown, found: Set<Tensor>, seen: Set<unknown>): void {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof Tensor) {
        found.add(value);
        if (value.grad) found.add(value.grad);
        return;
    }
    if (value instanceof Map) {
        for (const [key, item] of value) {
            tensorsIn(key, found, seen);
            tensorsIn(item, found, seen);
        }
    } else if (Array.isArray(value) || value instanceof Set) {
        for (const item of value) tensorsIn(item, found, seen);
    } else if (!ArrayBuffer.isView(value)) {
        for (const item of Object.values(value)) tensorsIn(item, found, seen);
    }
}

/** What the graphs behind these tensors still need for their backward pass. */
function tapeOf(roots: Iterable<Tensor>): Set<Disposable> {
    const needed = new Set<Disposable>();
    const seen = new Set<GradNode>();
    const pending: GradNode[] = [];
    const visit = (node: GradNode | null): void => {
        if (node && !seen.has(node)) {
            seen.add(node);
            pending.push(node);
        }
    };
    for (const root of roots) visit(nodeOf(root));
    for (let node = pending.pop(); node; node = pending.pop()) {
        for (const saved of node.savedTensors) needed.add(saved);
        for (const edge of node.edges) {
            if (edge?.leaf) needed.add(edge.leaf);
            visit(edge?.node ?? null);
        }
    }
    return needed;
}

/**
 * Frees, at its end, every tensor made inside it, but for those that `body` returns (alone, or in arrays, maps, sets and
 * objects), what their backward pass needs, and what `keep()` was called on. Scopes nest. If `body` throws, all is freed.
 *
 * `body` must be synchronous; for asynchronous code use `new Scope()` around each synchronous part.
 *
 * @example
 * import { randn, scope } from 'nativegrad';
 * const norm = scope(() => randn([1000]).square().sum().sqrt());
 * console.log(norm.isDisposed); // false
 */
export function scope<T>(body: () => T): T {
    const owner = new Scope();
    let result: T;
    try {
        result = owner.run(body);
    } catch (error) {
        owner.dispose();
        throw error;
    }
    if (result instanceof Promise) {
        owner.dispose();
        throw new TypeError(
            '[scope] takes a synchronous function, got one that returns a promise; use new Scope()',
        );
    }
    owner.release(result);
    owner.dispose();
    return result;
}

/**
 * A scope that can be entered several times, for work that is interrupted by `await`: only what is made inside `run` belongs
 * to it. `dispose()` frees its tensors.
 */
export class Scope {
    /** @internal */
    readonly members: ScopeMembers = new Set();

    /** Runs a synchronous function; tensors made by it belong to this scope. */
    run<T>(body: () => T): T {
        enterScope(this.members);
        try {
            return body();
        } finally {
            leaveScope(this.members);
        }
    }

    /** Takes tensors over that were made outside: they are freed with this scope. */
    adopt(tensors: Iterable<Tensor>): void {
        for (const x of tensors) {
            untrack(x);
            this.members.add(x);
        }
    }

    /** Lets the tensors in `value`, and what their backward pass needs, live on in the scope around. */
    release(value: unknown): void {
        const found = new Set<Tensor>();
        tensorsIn(value, found, new Set());
        const outer = currentScope();
        for (const item of [...found, ...tapeOf(found)]) {
            if (this.members.delete(item)) outer?.add(item);
        }
    }

    /** @internal As `release`, without what their backward pass needs. */
    releaseOnly(value: unknown): void {
        const found = new Set<Tensor>();
        tensorsIn(value, found, new Set());
        const outer = currentScope();
        for (const item of found) if (this.members.delete(item)) outer?.add(item);
    }

    /** Frees every tensor of the scope. */
    dispose(): void {
        for (const item of [...this.members]) item.dispose();
        this.members.clear();
    }

    [Symbol.dispose](): void {
        this.dispose();
    }
}
