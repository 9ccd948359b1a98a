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
    readonly accuracy: number;
}

export const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

export const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

interface Searched {
    readonly name: string;
    readonly target: number;
    readonly grid: Grid | undefined;
}

/**
 * The recipe that reaches the target first, by the mean of two seeds, without the import. A recipe is tried with more epochs
 * until it reaches the target, or until it takes longer than the best one so far.
 */
export async function searchGrid(
    { name, target, grid }: Searched,
    run: (recipe: Timed, seed: number) => Promise<Run>,
    print: (text: string) => void,
): Promise<Timed> {
    if (!grid || grid.recipes.length === 0 || grid.epochs.length === 0)
        throw new Error(`[bench] the grid has no recipes and epochs for ${name}`);
    let best: { recipe: Timed; seconds: number } | undefined;
    for (const recipe of grid.recipes) {
        for (const epochs of grid.epochs) {
            const runs: Run[] = [];
            for (const seed of [1, 2]) runs.push(await run({ ...recipe, epochs }, seed));
            const accuracy = mean(runs.map((each) => each.accuracy));
            const seconds = mean(runs.map((each) => each.withoutImport));
            print(`${percent(accuracy)}  ${seconds.toFixed(2)} s  ${JSON.stringify({ ...recipe, epochs })}`);
            if (accuracy >= target && seconds < (best?.seconds ?? Infinity))
                best = { recipe: { ...recipe, epochs }, seconds };
            if (accuracy >= target || seconds >= (best?.seconds ?? Infinity)) break;
        }
    }
    if (!best) throw new Error(`[bench] no recipe of the grid reaches ${percent(target)} for ${name}`);
    return best.recipe;
}
