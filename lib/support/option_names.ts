import { describeValue } from './describe_value.js';

/** Names that other libraries give to what is called otherwise here. */
const elsewhere: Readonly<Record<string, readonly string[]>> = {
    datatype: ['dtype'],
    grad: ['requiresGrad'],
    seed: ['generator'],
    learningrate: ['lr'],
    decay: ['weightDecay'],
    l2: ['weightDecay'],
    batch: ['batchSize'],
    batches: ['batchSize'],
    strides: ['stride'],
    pad: ['padding'],
    epsilon: ['eps'],
    rate: ['p', 'lr'],
    usebias: ['bias'],
    criterion: ['loss'],
    optim: ['optimizer'],
    scheduler: ['schedule'],
    net: ['model'],
    module: ['model'],
    onbatchend: ['onStepEnd'],
    ontrainbatchend: ['onStepEnd'],
    onbatchesend: ['onStepsEnd'],
    onepochstart: ['onEpochBegin'],
    ontrainstart: ['onTrainBegin'],
    onfitstart: ['onTrainBegin'],
    onfitbegin: ['onTrainBegin'],
    onfitend: ['onTrainEnd'],
    onvalidationend: ['onEpochEnd'],
};

const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase();

/** Number of letters to insert, drop or change to get from a to b (Levenshtein 1966). */
function distance(a: string, b: string): number {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
        const next = [i];
        for (let j = 1; j <= b.length; j++) {
            const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
            next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
        }
        row = next;
    }
    return row[b.length] ?? 0;
}

/** The name among `known` that was probably meant. */
export function similarName(name: string, known: readonly string[]): string | undefined {
    const own = plain(name);
    const aliases = Object.hasOwn(elsewhere, own) ? elsewhere[own] : undefined;
    const alias = aliases?.find((other) => known.includes(other));
    if (alias !== undefined) return alias;
    const [best] = known
        .map((other) => ({ other, away: distance(own, plain(other)) }))
        .sort((a, b) => a.away - b.away);
    return best && best.away <= Math.max(1, Math.floor(name.length / 3)) ? best.other : undefined;
}

/**
 * Refuses options that are no object, and names that are not known: a misspelt option must not silently be the default.
 * `where` is the beginning of the message, such as `[Adam]` or `Conv2d:`.
 */
export function requireOptionNames(where: string, options: unknown, known: readonly string[]): void {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
        throw new TypeError(
            `${where} options must be an object such as { ${known[0] ?? ''} }, got ${describeValue(options)}`,
        );
    }
    for (const name of Object.keys(options))
        if (!known.includes(name)) throw unknownOption(where, name, known);
}

function unknownOption(where: string, unknown: string, known: readonly string[]): TypeError {
    const meant = similarName(unknown, known);
    return new TypeError(
        `${where} unknown option '${unknown}'${meant === undefined ? '' : `; did you mean '${meant}'?`}` +
            `${meant === undefined ? '; it has' : ' It has'} ${known.join(', ')}`,
    );
}
