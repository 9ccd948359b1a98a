/** Where a generator stands: everything that its numbers depend on. */
export interface GeneratorState {
    readonly seed: number;
    /** Counters used so far; each gives 128 random bits. */
    readonly offset: number;
}

function requireCount(what: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0)
        throw new RangeError(
            `[Generator] ${what} must be an integer from 0 to 2^53 - 1, got ${String(value)}`,
        );
}

/**
 * A source of random numbers: Philox 4x32-10 (Salmon et al., SC 2011), keyed by the seed, over a counter. A draw takes the
 * next counters, so the same seed and the same calls give the same numbers for any number of threads, any instruction set
 * and any device.
 *
 * @example
 * import { Generator, rand } from 'nativegrad';
 * const generator = new Generator(7);
 * const state = generator.state;
 * const first = rand([2], { generator }).toArray();
 * generator.state = state;
 * console.log(rand([2], { generator }).toArray()[0] === first[0]); // true
 */
export class Generator {
    private key = 0;
    private next = 0;

    /** @throws RangeError when the seed is not an integer from 0 to 2^53 - 1. */
    constructor(seed = 0) {
        this.manualSeed(seed);
    }

    /** Starts anew from a seed. */
    manualSeed(seed: number): this {
        requireCount('the seed', seed);
        this.key = seed;
        this.next = 0;
        return this;
    }

    get seed(): number {
        return this.key;
    }

    /** Seed and offset, to be stored and set again. */
    get state(): GeneratorState {
        return { seed: this.key, offset: this.next };
    }

    set state({ seed, offset }: GeneratorState) {
        requireCount('the seed', seed);
        requireCount('the offset', offset);
        this.key = seed;
        this.next = offset;
    }

    /** @internal */
    saveState(): () => void {
        const { state } = this;
        return () => (this.state = state);
    }

    /** @internal Takes counters for a draw; returns the first. */
    reserve(counters: number): number {
        const first = this.next;
        if (!Number.isSafeInteger(first + counters))
            throw new RangeError('[Generator] all numbers of this seed are drawn; set another one');
        this.next = first + counters;
        return first;
    }
}

/** The generator of every draw that names no other; each worker thread has its own. Its first seed is 0. */
export const defaultGenerator = new Generator();

/** Starts the default generator anew from a seed, and returns it. */
export function manualSeed(seed: number): Generator {
    return defaultGenerator.manualSeed(seed);
}
