/** One network and how it is trained, as `fresh/accuracy.py` reads it. */
export interface Recipe {
    readonly channels?: readonly number[];
    readonly hidden: readonly number[];
    readonly batch: number;
    readonly rate: number;
    readonly schedule: string;
    readonly channels_last?: boolean;
}

/** What a search tries: each recipe with more and more epochs. */
export interface Grid {
    readonly epochs: readonly number[];
    readonly recipes: readonly Recipe[];
}

export type Timed = Recipe & { readonly epochs: number };

/** One process: its seconds, and what it reached. */
export interface Run {
    readonly seconds: number;
    readonly withoutImport: number;
    /** Seconds of the training itself, from the first step to the last. */
    readonly training?: number;
    readonly accuracy: number;
}

export const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

export const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

interface Searched {
    readonly name: string;
    readonly target: number;
    readonly grid: Grid | undefined;
    /** How many of them the target has to be reached with, in the mean; at least two are run. */
    readonly seeds: number;
}

const meanAccuracy = (runs: readonly Run[]): number => mean(runs.map((each) => each.accuracy));

/** Runs with two seeds, and with all of them where those two reach the target: what two seeds say may be luck. */
async function runSeeds(
    run: (seed: number) => Promise<Run>,
    { target, seeds }: Pick<Searched, 'target' | 'seeds'>,
): Promise<Run[]> {
    const runs = [await run(1), await run(2)];
    if (meanAccuracy(runs) < target) return runs;
    for (let seed = 3; seed <= seeds; seed++) runs.push(await run(seed));
    return runs;
}

/**
 * The recipe that reaches the target first, by the mean of its seeds, without the import. A recipe is tried with more epochs
 * until it reaches the target, or until it takes longer than the best one so far.
 */
export async function searchGrid(
    { name, target, grid, seeds }: Searched,
    run: (recipe: Timed, seed: number) => Promise<Run>,
    print: (text: string) => void,
): Promise<Timed> {
    if (!grid || grid.recipes.length === 0 || grid.epochs.length === 0)
        throw new Error(`[bench] the grid has no recipes and epochs for ${name}`);
    let best: { recipe: Timed; seconds: number } | undefined;
    for (const recipe of grid.recipes) {
        for (const epochs of grid.epochs) {
            const runs = await runSeeds((seed) => run({ ...recipe, epochs }, seed), { target, seeds });
            const accuracy = meanAccuracy(runs);
            const seconds = mean(runs.map((each) => each.withoutImport));
            print(
                `${percent(accuracy)}  ${seconds.toFixed(2)} s  ${runs.length} seeds  ${JSON.stringify({ ...recipe, epochs })}`,
            );
            if (accuracy >= target && seconds < (best?.seconds ?? Infinity))
                best = { recipe: { ...recipe, epochs }, seconds };
            if (accuracy >= target || seconds >= (best?.seconds ?? Infinity)) break;
        }
    }
    if (!best) throw new Error(`[bench] no recipe of the grid reaches ${percent(target)} for ${name}`);
    return best.recipe;
}
