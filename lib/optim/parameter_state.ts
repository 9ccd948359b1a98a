import { noGrad } from '../autograd/grad_mode.js';
import { scope } from '../autograd/scope.js';
import { untraced } from '../native/call.js';
import { move } from '../ops/convert.js';
import { zeros } from '../ops/create.js';
import { concat } from '../ops/join.js';
import { keep } from '../tensor/lifetime.js';
import type { Tensor } from '../tensor/tensor.js';

/** Memory of one parameter: step count and moment tensors. */
export interface ParameterState {
    /** Under a loss scaler with the steps that it left out: those are counted on the device. */
    step: number;
    /** The tensors were made for the step that comes, and hold zeros. */
    fresh: boolean;
    /** `step` when the tensors were made; -1 where they came from elsewhere. */
    madeAt: number;
    readonly tensors: Map<string, Tensor>;
    /** How many of the steps were left out, int32 []; null before the first step under a loss scaler. */
    skipped: Tensor | null;
}

/** A count of steps beside the parameter. */
export function newSkipCount(parameter: Tensor): Tensor {
    return keep(untraced(() => zeros([], { dtype: 'int32', device: parameter.device })));
}

/** How many steps a loss scaler has left out, of the states that count them: one wait for each device. */
export function skipsOf(states: readonly ParameterState[]): Map<ParameterState, number> {
    const counts = new Map<ParameterState, number>();
    const byDevice = new Map<number, [ParameterState, Tensor][]>();
    for (const state of states) {
        const { skipped } = state;
        if (!skipped) continue;
        const list = byDevice.get(skipped.deviceCode);
        if (list) list.push([state, skipped]);
        else byDevice.set(skipped.deviceCode, [[state, skipped]]);
    }
    for (const list of byDevice.values()) {
        const joined = scope(() => noGrad(() => concat(list.map(([, skipped]) => skipped.reshape([1])))));
        const values = joined.dataSync();
        list.forEach(([state], i) => counts.set(state, Number(values[i])));
        joined.dispose();
    }
    return counts;
}

/** Takes the steps that a loss scaler left out off the counts, which are numbers again: waits for the device. */
export function settleSkips(states: readonly ParameterState[]): void {
    const counts = untraced(() => skipsOf(states));
    for (const [state, count] of counts) {
        state.step -= count;
        if (state.madeAt >= 0) state.fresh = state.step === state.madeAt;
        state.skipped?.dispose();
        state.skipped = null;
    }
}

/** Brings the state to the device of its parameter, which may have moved since the last step. */
export function followParameter(state: ParameterState, parameter: Tensor): void {
    const moved = (tensor: Tensor): Tensor => {
        if (tensor.deviceCode === parameter.deviceCode) return tensor;
        const there = keep(untraced(() => noGrad(() => move(tensor, parameter.device))));
        tensor.dispose();
        return there;
    };
    for (const [name, tensor] of state.tensors) state.tensors.set(name, moved(tensor));
    if (state.skipped) state.skipped = moved(state.skipped);
}

export function stateTensor(state: ParameterState, name: string): Tensor {
    const tensor = state.tensors.get(name);
    if (!tensor) throw new Error(`[optimizer] state '${name}' is missing`);
    return tensor;
}

export function skipCountOf({ skipped }: ParameterState): Tensor {
    if (!skipped) throw new Error('[optimizer] the count of skipped steps is missing');
    return skipped;
}
