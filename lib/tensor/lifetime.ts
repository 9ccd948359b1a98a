/** What a scope can free. */
export interface Disposable {
    dispose(): void;
}

/** Tensors made while it is the innermost one, in a set that `keep` and `dispose` take them out of. */
export type ScopeMembers = Set<Disposable>;

const stack: ScopeMembers[] = [];

/** @internal Makes `members` the scope that new tensors join. */
export function enterScope(members: ScopeMembers): void {
    stack.push(members);
}

/** @internal */
export function leaveScope(members: ScopeMembers): void {
    if (stack.pop() !== members)
        throw new Error('[scope] scopes must end in the opposite order of their beginning');
}

/** @internal The scope around the innermost one, or undefined. */
export function currentScope(): ScopeMembers | undefined {
    return stack.at(-1);
}

/** @internal */
export function track(item: Disposable): void {
    stack.at(-1)?.add(item);
}

/** @internal Takes the item out of every open scope. */
export function untrack(item: Disposable): void {
    for (const members of stack) members.delete(item);
}

/**
 * Takes tensors out of the scopes they were made in, so that they live until disposed of or unreachable.
 *
 * @example
 * import { keep, ones, scope } from 'nativegrad';
 * let total;
 * scope(() => {
 *     total = keep(ones([2]).add(1));
 * });
 */
export function keep<T extends Disposable>(item: T): T {
    untrack(item);
    return item;
}
