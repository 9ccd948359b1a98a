import { noGrad } from '../autograd/grad_mode.js';
import { Scope } from '../autograd/scope.js';
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
    /** Runs its argument in the mode of an evaluation, for what comes later than the call. */
    readonly surroundings?: <T>(body: () => T) => T;
}

export interface Evaluated {
    readonly outputs: Tensor;
    readonly loss: Tensor;
}

/** Replays of each program that are checked against the step itself. */
const checkedReplays = 1;

/** Steps that take longer than this run on another thread, so that timers are served meanwhile. */
export const blockingMilliseconds = 3;

/** Outputs and loss of a batch, without recording: a captured program where that is possible. */
export class EvaluationStep {
    private captured: CapturedStep<[Tensor, Tensor], Evaluated> | null;
    private milliseconds = Infinity;

    constructor(
        private readonly parts: EvaluationParts,
        capture: boolean,
        checks = checkedReplays,
    ) {
        const step = (inputs: Tensor, targets: Tensor): Evaluated => this.directly(inputs, targets);
        this.captured =
            capture && !hookReason(parts.model)
                ? captureInParts(step, {
                      validate: checks,
                      inParts: (inputs, targets) => this.aside(() => step(inputs, targets)),
                  })
                : null;
    }

    run(inputs: Tensor, targets: Tensor): Evaluated {
        if (!this.captured || this.isBeyondPrograms(inputs, targets)) return this.directly(inputs, targets);
        try {
            return this.captured(inputs, targets);
        } catch (error) {
            return this.afterFailure(error) ?? this.directly(inputs, targets);
        }
    }

    /** As `run`, with a long program on another thread. Called where `aside` would run it. */
    async runBeside(inputs: Tensor, targets: Tensor): Promise<Evaluated> {
        if (
            !this.captured ||
            this.isBeyondPrograms(inputs, targets) ||
            this.milliseconds < blockingMilliseconds
        )
            return this.timed(() => this.run(inputs, targets));
        const begin = performance.now();
        try {
            const evaluated = await this.captured.async(inputs, targets);
            this.milliseconds = performance.now() - begin;
            return evaluated;
        } catch (error) {
            return this.afterFailure(error) ?? this.aside(() => this.directly(inputs, targets));
        }
    }

    private timed(body: () => Evaluated): Evaluated {
        const begin = performance.now();
        try {
            return body();
        } finally {
            this.milliseconds = performance.now() - begin;
        }
    }

    /** The rest of a call that has waited, without recording and in the model's evaluation mode. */
    private aside(body: () => Evaluated): Promise<Evaluated> {
        const { surroundings } = this.parts;
        const scope = new Scope();
        const inner = (): Evaluated => scope.run(body);
        try {
            const evaluated = surroundings ? surroundings(inner) : inner();
            scope.release(evaluated);
            return Promise.resolve(evaluated);
        } finally {
            scope.dispose();
        }
    }

    /** Inputs that require gradients, and steps inside of other captured ones, are not for programs. */
    private isBeyondPrograms(inputs: Tensor, targets: Tensor): boolean {
        return activeTracer() !== null || inputs.needsGrad || targets.needsGrad;
    }

    /** Gives programs up where the step cannot be one; its result where that is known. */
    private afterFailure(error: unknown): Evaluated | undefined {
        if (!(error instanceof CaptureError)) throw error;
        this.captured = null;
        return error instanceof CaptureMismatchError ? (error.result as Evaluated) : undefined;
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
