import { noGrad } from '../autograd/grad_mode.js';
import { CaptureError } from '../native/capture_error.js';
import { activeTracer } from '../native/tracer.js';
import { Module } from '../nn/module.js';
import { captureInParts, type CapturedStep } from '../program/capture.js';
import { CaptureMismatchError } from '../program/validate.js';
import type { Tensor } from '../tensor/tensor.js';

/** What the step of an evaluation is made of. */
export interface EvaluationParts {
    readonly model: { forward(inputs: Tensor): Tensor };
    readonly loss: (outputs: Tensor, targets: Tensor) => Tensor;
}

interface Evaluated {
    readonly outputs: Tensor;
    readonly loss: Tensor;
}

/** Replays of each program that are checked against the step itself. */
const checkedReplays = 1;

/** Outputs and loss of a batch, without recording: a captured program where that is possible. */
export class EvaluationStep {
    private captured: CapturedStep<[Tensor, Tensor], Evaluated> | null;

    constructor(
        private readonly parts: EvaluationParts,
        capture: boolean,
    ) {
        const step = (inputs: Tensor, targets: Tensor): Evaluated => this.directly(inputs, targets);
        this.captured =
            capture && !hookReason(parts.model) ? captureInParts(step, { validate: checkedReplays }) : null;
    }

    run(inputs: Tensor, targets: Tensor): Evaluated {
        // Inputs that require gradients, and steps inside of other captured ones, are not for programs.
        if (!this.captured || activeTracer() || inputs.needsGrad || targets.needsGrad)
            return this.directly(inputs, targets);
        try {
            return this.captured(inputs, targets);
        } catch (error) {
            if (!(error instanceof CaptureError)) throw error;
            this.captured = null;
            if (error instanceof CaptureMismatchError) return error.result as Evaluated;
            return this.directly(inputs, targets);
        }
    }

    private directly(inputs: Tensor, targets: Tensor): Evaluated {
        return noGrad(() => {
            const outputs = this.parts.model.forward(inputs);
            return { outputs, loss: this.parts.loss(outputs, targets) };
        });
    }
}

/** Why the steps of a model are not captured: hooks run in JavaScript. */
export function hookReason(model: unknown): string | undefined {
    const hooked =
        model instanceof Module ? model.namedModules().find(([, module]) => module.hasHooks) : undefined;
    return (
        hooked && `the module '${hooked[0] || hooked[1].constructor.name}' has hooks, which run in JavaScript`
    );
}
