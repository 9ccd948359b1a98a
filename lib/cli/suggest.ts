/** What other programs call these flags. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
    arch: 'architecture',
    bs: 'batch_size',
    clip: 'gradient_clip',
    layers: 'hidden_sizes',
    lr: 'learning_rate',
    rate: 'learning_rate',
    scheduler: 'lr_schedule',
    units: 'hidden_sizes',
    wd: 'weight_decay',
};

/**
 * The names that a mistyped one most likely stands for, best first, none where nothing is near: another program's name
 * for it, the beginning or a part of a name (`model` for `model_path`), or a few slips of the fingers.
 */
export function suggestNames(given: string, known: readonly string[]): string[] {
    const word = squeeze(given);
    const other = OTHER_NAMES[word];
    if (other !== undefined && known.includes(other)) return [other];
    const ranked = known
        .map((name) => ({ name, rank: rankOf(word, squeeze(name)) }))
        .filter(({ rank }) => rank < Infinity)
        .sort((a, b) => a.rank - b.rank);
    return ranked.filter(({ rank }) => rank === ranked[0]?.rank).map(({ name }) => name);
}

function squeeze(name: string): string {
    return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Smaller is nearer; Infinity: not alike. */
function rankOf(word: string, name: string): number {
    if (word.length >= 2 && name.startsWith(word)) return 0;
    if (word.length >= 3 && name.includes(word)) return 1;
    if (name.length >= 3 && word.startsWith(name)) return 2;
    const distance = editDistance(word, name);
    return distance <= Math.min(3, 0.4 * Math.max(word.length, name.length)) ? 2 + distance : Infinity;
}

/** Letters to insert, remove or replace, or neighbours to swap, to turn one word into the other. */
function editDistance(a: string, b: string): number {
    let [older, old] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
    for (let i = 1; i <= a.length; i++) {
        const row = [i];
        for (let j = 1; j <= b.length; j++) {
            const replaced = (old[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
            const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
            const swapped = isSwap ? (older[j - 2] ?? 0) + 1 : Infinity;
            row.push(Math.min(replaced, swapped, (old[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
        }
        [older, old] = [old, row];
    }
    return old[b.length] ?? 0;
}
