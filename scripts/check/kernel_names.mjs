// Kernels by the names that their authors gave them.
import { execFileSync } from 'node:child_process';

/** What stands behind the name of a kernel in its form for several models (cuda/device/batched.h). */
export const ofSeveral = ' of several models';

/**
 * "softmax_rows<float>": the name without namespaces, parameters and result. One that is launched by launch_batched has the
 * name of its body.
 */
export function shortName(demangled) {
    const batched = /\b(one|each)_model(?:_unbounded)?<&/.exec(demangled);
    if (batched) {
        const body = firstArgument(demangled.slice(batched.index + batched[0].length));
        return shortName(body) + (batched[1] === 'each' ? ofSeveral : '');
    }
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

/** What a list of a template's arguments begins with; a function with its parameters stands in (...). */
function firstArgument(text) {
    const closes = text.startsWith('(') ? ')' : ',';
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
        if ('<('.includes(text[i])) depth++;
        if ('>)'.includes(text[i])) depth--;
        if (depth <= 0 && (text[i] === closes || depth < 0)) return text.slice(closes === ')' ? 1 : 0, i);
    }
    return text;
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
