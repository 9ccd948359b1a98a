// Kernels by the names that their authors gave them.
import { execFileSync } from 'node:child_process';

/** What stands behind the name of a kernel in its form for several models (cuda/device/batched.h). */
export const ofSeveral = ' of several models';

/**
 * "softmax_rows<float>": the name without namespaces, parameters and result. One that is launched by launch_batched has the
 * name of its body.
 */
export function shortName(demangled) {
    const batched = /\b(one|each)_model<&\(?(.*?)\)?, \d+, \d+[,>]/.exec(demangled);
    if (batched) return shortName(batched[2]) + (batched[1] === 'each' ? ofSeveral : '');
    const plain = demangled
        .replaceAll('(anonymous namespace)::', '')
        .replace(/^(?:void|\w+) (?=\w+::|\w+<|\w+\()/, '');
    const head = plain.slice(0, endOfName(plain));
    const template = head.indexOf('<');
    const name = template < 0 ? head : head.slice(0, template);
    return (
        name.slice(name.lastIndexOf('::') + (name.includes('::') ? 2 : 0)) +
        head.slice(name.length).replaceAll('nativegrad::cuda::', '').replaceAll('nativegrad::', '')
    );
}

/** Where the parameters begin: the first ( outside of <...>. */
function endOfName(text) {
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
        if (text[i] === '<') depth++;
        if (text[i] === '>') depth--;
        if (text[i] === '(' && depth === 0) return i;
    }
    return text.length;
}

/** Symbols as C++ writes them. */
export function demangle(names) {
    if (names.length === 0) return [];
    return execFileSync('c++filt', [], { input: names.join('\n'), encoding: 'utf8' })
        .trim()
        .split('\n');
}
