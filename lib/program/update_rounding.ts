import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { distance, magnitudeOf, normOf } from './differences.js';

/** What a step has updated. */
export interface UpdateRole {
    /** Where the update began; absent for a gradient that the step has made. */
    readonly before?: Tensor | undefined;
    readonly kind: 'gradient' | 'parameter' | 'state' | 'other';
    /** Of the parameter that it belongs to, where the step has left it. */
    readonly gradient?: Tensor | undefined;
}

/** The step as a whole. */
export interface Scale {
    /** What its tensors were computed by way of. */
    readonly dtypes: Iterable<DType>;
    /** The largest element of all gradients of parameters. */
    readonly gradient: number;
    /** The furthest that an element of any parameter, or of what optimizers keep for one, has moved. */
    readonly moves: Readonly<Record<UpdateRole['kind'], number>>;
}

/** What sums in another order may change of an update, for the coarsest dtype on the way. */
interface Limits {
    /**
     * The norm of the difference, relative to that of the update: one that was left out is off by 1, one of the wrong sign
     * by 2. Where the mask of a ReLU or the pick of a max-pool is a matter of rounding, a gradient takes another way in a few
     * places; bfloat16 was seen off by 0.1.
     */
    readonly share: number;
    /**
     * Elements of a gradient below this share of its largest, or below that share of the largest of all gradients, may be
     * nothing but rounding: those of a bias in front of batch norm were 3e-7 and 1e-3 of all. Optimizers that divide by the
     * gradient's root mean square make whole steps of them, of either sign.
     */
    readonly ofOwn: number;
    readonly ofAll: number;
}

const fine: Limits = { share: 0.25, ofOwn: 1e-7, ofAll: 1e-12 };
const medium: Limits = { share: 0.25, ofOwn: 2e-3, ofAll: 1e-5 };
const coarse: Limits = { share: 0.5, ofOwn: 0.1, ofAll: 5e-3 };

/** From so many elements on it is no chance that rounding moved none of them. */
const crowd = 16;
/** Elements that are nothing but rounding may be off by so many of the largest moves. */
const noisyMoves = 4;

function limitsOf(dtypes: readonly DType[]): Limits {
    if (dtypes.some((dtype) => dtype === 'bfloat16' || dtype === 'float16')) return coarse;
    return dtypes.includes('float32') ? medium : fine;
}

/** Differences of the values that are nothing beside them, relative to their norm. */
function slackOf({ exact, kind, before }: Update, bound: number): number {
    if (!before) return 0;
    // Sums, averages and momentum that have settled move by less than their rounding.
    if (kind !== 'parameter') return bound;
    const precision: Partial<Record<DType, number>> = {
        float64: 2 ** -52,
        float32: 2 ** -23,
        float16: 2 ** -10,
    };
    return 4 * (precision[exact.dtype] ?? 2 ** -7);
}

interface Update extends UpdateRole {
    readonly exact: Tensor;
    readonly fused: Tensor;
}

/**
 * The largest difference of an update (fused - exact beside exact - before) that rounding does not explain, or 0. The norms
 * are compared; where that fails, those of the elements whose gradient is more than rounding. A parameter's step of which the
 * gradient is gone may be rounding altogether.
 */
export function unexplainedUpdate(update: Update, scale: Scale, bound: number): number {
    const { exact, fused, before } = update;
    const limits = limitsOf([exact.dtype, ...scale.dtypes]);
    const slack = slackOf(update, bound);
    const moved = before ? normOf(exact, before) : normOf(exact);
    const allowed = limits.share * moved + slack * normOf(exact);
    // Beside an infinite element, all else would be small.
    const isSmall = Number.isFinite(allowed) && normOf(exact, fused) <= allowed;
    return isSmall || isExplained(update, scale, limits, slack) ? 0 : magnitudeOf(exact, fused) || Infinity;
}

/** Gradients up to here are a matter of rounding. */
function noiseOf({ gradient, kind }: Update, scale: Scale, limits: Limits): number {
    if (kind === 'other') return -1;
    return gradient
        ? Math.max(limits.ofOwn * magnitudeOf(gradient), limits.ofAll * scale.gradient)
        : Infinity;
}

/** Sums of squares. */
class Sums {
    off = 0;
    moved = 0;
    values = 0;

    add(off: number, moved: number, value: number): void {
        this.off += off ** 2;
        this.moved += moved ** 2;
        this.values += value ** 2;
    }
}

function isExplained(update: Update, scale: Scale, limits: Limits, slack: number): boolean {
    const { kind } = update;
    const [exact, fused] = [update.exact.dataSync(), update.fused.dataSync()];
    const [before, gradient] = [update.before?.dataSync(), update.gradient?.dataSync()];
    const noise = noiseOf(update, scale, limits);
    const allowed = kind === 'gradient' ? noise : noisyMoves * scale.moves[kind];
    const [clear, noisy] = [new Sums(), new Sums()];
    let [count, still] = [0, 0];
    for (let i = 0; i < exact.length; i++) {
        const [wanted, got, old] = [Number(exact[i]), Number(fused[i]), Number(before?.[i] ?? 0)];
        const off = distance(wanted, got);
        // An overflow that both have.
        if (off === 0 && !Number.isFinite(distance(wanted, old))) continue;
        if (off === Infinity) return false;
        const isNoise = Math.abs(Number(gradient?.[i] ?? 0)) <= noise;
        if (isNoise && !(off <= allowed + slack * Math.abs(wanted))) return false;
        if (isNoise) count++;
        if (isNoise && got === old) still++;
        (isNoise ? noisy : clear).add(off, distance(wanted, old), wanted);
    }
    const isLeftOut =
        count >= crowd && still === count && Math.sqrt(noisy.moved) > slack * Math.sqrt(noisy.values);
    return (
        !isLeftOut &&
        Math.sqrt(clear.off) <= limits.share * Math.sqrt(clear.moved) + slack * Math.sqrt(clear.values)
    );
}
