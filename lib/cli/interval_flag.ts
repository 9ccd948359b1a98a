import type { Flag } from './flags.js';

/** After how many steps, epochs or minutes a run saves. */
export type SaveInterval =
    { readonly steps?: number; readonly epochs?: number; readonly minutes?: number } | undefined;

/** `500steps`, `1epoch`, `10min`. */
export function intervalFlag(description: string): Flag<SaveInterval> {
    return {
        placeholder: '<interval>',
        description,
        defaultText: undefined,
        fallback: undefined,
        parse: (text, reject) => {
            const expected = 'a number and steps, epochs or min, like 500steps, 1epoch or 10min';
            const [, digits, unit = ''] =
                /^([1-9]\d{0,8})(steps?|epochs?|min|minutes?)$/.exec(text.toLowerCase()) ?? reject(expected);
            const count = Number(digits);
            if (unit.startsWith('step')) return { steps: count };
            return unit.startsWith('epoch') ? { epochs: count } : { minutes: count };
        },
    };
}
