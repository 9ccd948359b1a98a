import type { Module } from './module.js';

/** The module as a tree, one line a layer, as PyTorch prints it. */
export function printModule(module: Module): string {
    const children = module.namedChildren();
    const head = `${module.constructor.name}(`;
    if (children.length === 0) return `${head}${module.describe()})`;
    const lines = children.map(
        ([name, child]) => `  (${name}): ${printModule(child).replaceAll('\n', '\n  ')}`,
    );
    return [head, ...lines, ')'].join('\n');
}
