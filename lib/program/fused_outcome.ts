import type { Tensor } from '../tensor/tensor.js';
import type { CapturedProgram } from './captured_program.js';
import { magnitudeOf } from './differences.js';
import { differencesOfFused, type Computed } from './rounding.js';
import type { Scale, UpdateRole } from './update_rounding.js';

export type Copies = readonly (readonly [tensor: Tensor, copy: Tensor])[];

/** What a program has computed. */
export interface Outcome {
    readonly results: readonly Tensor[];
    readonly written: Copies;
    readonly gradients: Copies;
}

/** One step, both ways. */
interface Step {
    readonly exact: Outcome;
    readonly fused: Outcome;
    /** What it writes, before. */
    readonly before: Copies;
    /** What it has left on leaves. */
    readonly gradients: ReadonlyMap<Tensor, Tensor>;
}

const copiesOf = (list: Copies): Tensor[] => list.map(([, copy]) => copy);

function computed(
    exact: readonly Tensor[],
    fused: readonly Tensor[],
    isReordered: readonly boolean[],
    roles: readonly UpdateRole[] = [],
): Computed[] {
    return exact.flatMap((x, i) => {
        const other = fused[i];
        return other
            ? [{ exact: x, fused: other, isReordered: isReordered[i] ?? true, update: roles[i] }]
            : [];
    });
}

/** What each tensor is that the step writes: a parameter, its gradient, what an optimizer keeps for it, or something else. */
function rolesOfWritten(program: CapturedProgram<unknown>, { before, gradients }: Step): UpdateRole[] {
    const owners = new Map<Tensor, [kind: UpdateRole['kind'], leaf: Tensor]>();
    for (const leaf of program.leaves) {
        owners.set(leaf, ['parameter', leaf]);
        for (const state of program.statesOf(leaf)) owners.set(state, ['state', leaf]);
    }
    for (const { leaf, before: sum } of program.accumulated) owners.set(sum, ['gradient', leaf]);
    return before.map(([x, copy]) => {
        const [kind, leaf] = owners.get(x) ?? ['other', x];
        return { kind, before: copy, gradient: gradients.get(leaf) };
    });
}

/** The largest gradient and the largest moves, where any of these is to be compared by them. */
function* scaleOf(updates: readonly Computed[]): Generator<void, Omit<Scale, 'dtypes'>> {
    const moves = { gradient: 0, parameter: 0, state: 0, other: 0 };
    let gradient = 0;
    if (!updates.some(({ isReordered }) => isReordered)) return { gradient, moves };
    for (const { exact, update } of updates) {
        if (!update) continue;
        if (update.gradient) gradient = Math.max(gradient, magnitudeOf(update.gradient));
        if (update.before)
            moves[update.kind] = Math.max(moves[update.kind], magnitudeOf(exact, update.before));
        yield;
    }
    return { gradient, moves };
}

/** Says where the calls that were put together have come to something else than those as recorded. */
export function* differenceOfFused(
    program: CapturedProgram<unknown>,
    step: Step,
): Generator<void, string | undefined> {
    const { exact, fused } = step;
    const marks = program.reordered(exact.written.map(([x]) => x));
    const written = computed(
        copiesOf(exact.written),
        copiesOf(fused.written),
        marks.written,
        rolesOfWritten(program, step),
    );
    const ofGradients = exact.gradients.map(([, copy]) => ({ kind: 'gradient', gradient: copy }) as const);
    const gradients = computed(
        copiesOf(exact.gradients),
        copiesOf(fused.gradients),
        marks.gradients,
        ofGradients,
    );
    const scale = { dtypes: program.dtypes, ...(yield* scaleOf([...written, ...gradients])) };
    return (
        (yield* differencesOfFused('result', computed(exact.results, fused.results, marks.results), scale)) ??
        (yield* differencesOfFused('gradient', gradients, scale)) ??
        (yield* differencesOfFused('written tensor', written, scale))
    );
}
