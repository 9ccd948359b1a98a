// Faults in what the fused calls of captured programs write, for the tests of the checks that are to find them.
import { noGrad, type Tensor } from '../../lib/index.js';
import { CapturedProgram } from '../../lib/program/captured_program.js';
import { runTogether, type PreparedReplay } from '../../lib/program/replays.js';

export type Fault = (before: Tensor, after: Tensor) => Tensor;

export const leftOut: Fault = (before) => before.clone();
export const turned: Fault = (before, after) => before.mul(2).sub(after);
export const doubled: Fault = (before, after) => after.mul(2).sub(before);

/** Runs `body`, in which the fused calls of every replay now make `fault` of the update of x. */
export function withFault<T>(x: Tensor, fault: Fault, body: () => T): T {
    const { runNow } = Object.getOwnPropertyDescriptors(CapturedProgram.prototype);
    CapturedProgram.prototype.runNow = function (
        this: CapturedProgram<unknown>,
        prepared: PreparedReplay,
    ): void {
        const before = noGrad(() => x.clone());
        runTogether([{ program: this, prepared }]);
        noGrad(() => x.copy_(fault(before, x)));
    };
    try {
        return body();
    } finally {
        Object.defineProperty(CapturedProgram.prototype, 'runNow', runNow);
    }
}
