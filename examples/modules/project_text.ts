import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const files = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

/** The project's own documents: every tenth paragraph is held out. */
export function projectText(): { readonly training: string; readonly heldOut: string } {
    const root = join(import.meta.dirname, '..', '..');
    const paragraphs = files.flatMap((name) => readFileSync(join(root, name), 'utf8').split('\n\n'));
    const share = (held: boolean): string =>
        paragraphs.filter((_, i) => (i % 10 === 5) === held).join('\n\n');
    return { training: share(false), heldOut: share(true) };
}

/** A text as the numbers of its characters; those that the alphabet lacks are left out. */
export function encode(text: string, alphabet: readonly string[]): number[] {
    return Array.from(text)
        .map((character) => alphabet.indexOf(character))
        .filter((i) => i >= 0);
}

/**
 * What it takes to tell the next character of one text by the counts of another: the mean of -ln p, where p is the share of the
 * character among those that came next after the last `seen` ones (0: among all), with 0.1 added to each count.
 */
export function countingLoss(
    training: readonly number[],
    text: readonly number[],
    symbols: number,
    seen: number,
): number {
    const counts = new Map<string, number>();
    const count = (key: string): number => counts.get(key) ?? 0;
    const before = (list: readonly number[], i: number): string => list.slice(i - seen, i).join();
    for (let i = seen; i < training.length; i++)
        for (const key of [before(training, i), `${before(training, i)}>${training[i] ?? 0}`])
            counts.set(key, count(key) + 1);
    let sum = 0;
    for (let i = seen; i < text.length; i++) {
        const past = before(text, i);
        sum -= Math.log((count(`${past}>${text[i] ?? 0}`) + 0.1) / (count(past) + 0.1 * symbols));
    }
    return sum / (text.length - seen);
}
