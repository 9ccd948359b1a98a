import type { Flag } from './flags.js';

/** After how many steps, epochs or minutes a run saves. */
export type SaveInterval =
    { readonly steps?: number; readonly epochs?: number; readonly minutes?: number } | undefined;

const MILLISECONDS = { s: 1000, min: 60_000, h: 3_600_000 } as const;
const LONGEST_HOURS = 24;

/** `30s`, `10min`, `1h` or `0`, in milliseconds. */
export function durationFlag<T>(description: string, defaultText: string, fallback: T): Flag<number | T> {
    return {
        placeholder: '<duration>',
        description,
        defaultText,
        fallback,
        parse: (text, reject) => {
            const [, digits, unit] = /^(\d{1,6})(s|min|h)$/.exec(text.toLowerCase()) ?? [];
            const each = unit === undefined ? 0 : MILLISECONDS[unit as keyof typeof MILLISECONDS];
            const milliseconds = Number(digits) * each;
            if (text === '0') return 0;
            if (milliseconds <= LONGEST_HOURS * MILLISECONDS.h) return milliseconds;
            return reject(`0 or a number and s, min or h, like 30s, up to ${LONGEST_HOURS}h`);
        },
    };
}

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
