/** What the check knows of a sample row. */
interface SampleNames {
    readonly op: string;
    readonly covers?: readonly string[];
    readonly gradient?: boolean;
}

/** `leakyRelu` -> `leaky_relu`: an op has one stem in every layer. */
export function stemOf(name: string): string {
    return name.replace('NaN', 'Nan').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * The names among `required` that no row of the sample table runs. A backward kernel `x_backward` is run by the
 * gradient check of a row of `x`, unless that row has no gradient.
 */
export function missingSamples(required: Iterable<string>, samples: readonly SampleNames[]): string[] {
    const covered = new Set(samples.flatMap(({ op, covers = [] }) => [op, ...covers]));
    const withGradient = new Set(
        samples
            .filter(({ gradient }) => gradient !== false)
            .flatMap(({ op, covers = [] }) => [op, ...covers].map((name) => `${name}_backward`)),
    );
    return [...new Set(required)].filter((name) => !covered.has(name) && !withGradient.has(name)).sort();
}
