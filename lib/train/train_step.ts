import { autocast, type LowPrecision } from '../autograd/autocast.js';
import { backwardInSteps } from '../autograd/gradients.js';
import { Scope } from '../autograd/scope.js';
import type { Batch } from '../data/index.js';
import { CaptureError } from '../native/capture_error.js';
import { activeTracer } from '../native/tracer.js';
import { captureInParts, type CapturedStep } from '../program/capture.js';
import { CaptureMismatchError } from '../program/validate.js';
import type { Breather } from '../support/breathe.js';
import { clipGradNorm } from '../optim/clip.js';
import type { GradScaler } from '../optim/grad_scaler.js';
import type { ExponentialMovingAverage } from '../optim/moving_average.js';
import { Optimizer } from '../optim/optimizer.js';
import { requireTensor } from '../tensor/require_tensor.js';
import type { Tensor } from '../tensor/tensor.js';
import type { TrainableModel } from './callback.js';
import { blockingMilliseconds, hookReason } from './evaluation_step.js';
import type { Execution } from './history.js';
import { RowSteps, type Counted, type StepFigures } from './row_steps.js';
import type { StepOptimizer } from './trainer_options.js';
import { requireLoss } from './trainer_checks.js';
import { programExecution } from './program_execution.js';

/** What forward and loss compute in. */
export type Precision = 'float32' | LowPrecision;

/** What a training step is made of. */
export interface StepParts {
    readonly model: TrainableModel;
    readonly optimizer: StepOptimizer;
    readonly loss: (outputs: Tensor, targets: Tensor) => Tensor;
    readonly beforeStep?: () => void;
    readonly average?: ExponentialMovingAverage;
    readonly precision?: Precision;
    /** Scales the loss, and leaves out steps with overflow. */
    readonly scaler?: GradScaler;
    /** Largest norm of the gradients of the optimizer's parameters. */
    readonly gradientClip?: number;
    /** Leave gradients in `.grad` after a captured step. */
    readonly gradients?: boolean;
}

/** What becomes part of the steps besides, where samples come by their numbers. */
export interface RowSource {
    readonly gather: (index: Tensor) => Batch;
    /** Runs after each step. */
    readonly advance?: () => void;
}

export interface StepOutcome {
    readonly loss: Tensor;
    readonly outputs: Tensor;
}

type Captured = CapturedStep<[Tensor, Tensor], { loss: Tensor; outputs: Tensor }>;

/** Replays of each program that are checked against the step itself, so that no number from JavaScript is baked in unseen. */
const checkedReplays = 2;

/** Forward, loss, backward, update: as a captured program where that is possible, else op by op. */
export class TrainStep {
    private captured: Captured | null = null;
    private rowSteps: RowSteps | null = null;
    private checks = 0;
    private milliseconds = Infinity;
    private reason: string | undefined;

    /** `mode`: true throws where the step cannot be captured, 'auto' goes on op by op. */
    constructor(
        private readonly parts: StepParts,
        private readonly mode: boolean | 'auto',
        private readonly breather: Breather,
    ) {
        this.reason = mode === false ? 'capture is off' : reasonAgainst(parts);
        if (mode === true && this.reason) throw new CaptureError(`[Trainer] ${this.reason}`);
        if (!this.reason) this.capture(checkedReplays);
    }

    private capture(validate: number): void {
        this.checks = validate;
        this.rowSteps = null;
        this.captured = captureInParts((inputs: Tensor, targets: Tensor) => this.whole(inputs, targets), {
            validate,
            gradients: this.parts.gradients ?? false,
            inParts: (inputs, targets) => this.inParts([inputs, targets]),
        });
    }

    /**
     * The steps of an epoch follow. They are captured anew: what the loss or `beforeStep` reads in JavaScript may have changed
     * with the epoch. The first epoch's checks are enough to find what changes from step to step.
     */
    beginEpoch(epoch: number): void {
        if (!this.captured || epoch === 1) return;
        this.capture(0);
    }

    get execution(): Execution {
        if (!this.captured) return { mode: 'eager', reason: this.reason ?? '' };
        const program = this.rowSteps?.execution ?? programExecution(this.captured.statistics);
        return program === 'calls' ? { mode: 'captured' } : { mode: 'captured', program };
    }

    /** Runs one step. Its tensors join `scope`; the event loop has its turn in between where the step is long. */
    async run(batch: Batch, scope: Scope): Promise<StepOutcome> {
        if (this.captured) {
            try {
                return this.adopted(await this.replay(this.captured, batch), scope);
            } catch (error) {
                if (!(error instanceof CaptureError) || this.mode === true) throw error;
                this.captured = null;
                this.reason = error.message;
                if (error instanceof CaptureMismatchError)
                    return this.adopted(error.result as StepOutcome, scope);
            }
        }
        return this.eager(batch, scope);
    }

    /**
     * Runs the first of the steps whose samples' numbers are in rows [steps, samples], at least one: as many as fit in one
     * native call where the step is captured.
     */
    async runRows(source: RowSource, rows: Tensor): Promise<StepFigures> {
        const steps = (this.rowSteps ??= this.newRowSteps(source));
        if (this.captured) {
            try {
                return await steps.run(rows);
            } catch (error) {
                if (!(error instanceof CaptureError) || this.mode === true) throw error;
                this.captured = null;
                this.reason = error.message;
                if (error instanceof CaptureMismatchError) return steps.read(error.result as Counted);
            }
        }
        const row = rows.select(0, 0);
        try {
            return steps.read(await steps.inParts(row));
        } finally {
            row.dispose();
        }
    }

    private newRowSteps({ gather, advance }: RowSource): RowSteps {
        return new RowSteps({
            gather,
            advance: advance ?? (() => undefined),
            whole: (inputs, targets) => this.whole(inputs, targets),
            inParts: (batch, scope) => this.eager(batch, scope),
            learningRate: () => this.parts.optimizer.learningRate,
            gradients: this.parts.gradients ?? false,
            checks: this.checks,
        });
    }

    private adopted(outcome: StepOutcome, scope: Scope): StepOutcome {
        scope.adopt([outcome.loss, outcome.outputs]);
        return outcome;
    }

    private async replay(step: Captured, [inputs, targets]: Batch): Promise<StepOutcome> {
        const begin = performance.now();
        const isShort = this.milliseconds < blockingMilliseconds;
        const outcome = isShort ? step(inputs, targets) : await step.async(inputs, targets);
        this.milliseconds = performance.now() - begin;
        return outcome;
    }

    /** The step as one function, for capture. */
    private whole(inputs: Tensor, targets: Tensor): StepOutcome {
        const { loss, outputs } = this.forward(inputs, targets);
        this.scaled(loss).backward();
        this.update();
        return { loss, outputs };
    }

    private forward(inputs: Tensor, targets: Tensor): StepOutcome {
        const { model, optimizer, loss: lossOf, precision } = this.parts;
        const hooked = activeTracer() && reasonAgainst(this.parts);
        if (hooked) throw new CaptureError(`[Trainer] ${hooked}`);
        optimizer.zeroGrad();
        return autocast(precision === 'float32' ? null : (precision ?? null), () => {
            const outputs = model.forward(inputs);
            requireTensor('fit', outputs, 'what the model returns');
            return { outputs, loss: requireLoss('fit', lossOf(outputs, targets)) };
        });
    }

    /** What backward begins with. */
    private scaled(loss: Tensor): Tensor {
        return this.parts.scaler?.scale(loss) ?? loss;
    }

    private update(): void {
        this.updateParameters();
        this.parts.average?.update();
    }

    private updateParameters(): void {
        const { optimizer, beforeStep, gradientClip: maxNorm, scaler } = this.parts;
        if (scaler && isOptimizer(optimizer)) {
            if (beforeStep) scaler.unscale_(optimizer);
            beforeStep?.();
            scaler.step(optimizer, maxNorm === undefined ? {} : { maxNorm });
            scaler.update();
            return;
        }
        beforeStep?.();
        const parameters = isOptimizer(optimizer) ? optimizer.parameters : this.parts.model.parameters();
        if (maxNorm !== undefined) clipGradNorm(parameters, maxNorm);
        optimizer.step();
    }

    private async inParts(batch: Batch): Promise<StepOutcome> {
        const scope = new Scope();
        try {
            const outcome = await this.eager(batch, scope);
            scope.release(outcome);
            return outcome;
        } finally {
            scope.dispose();
        }
    }

    /** Op by op; between the parts, and between the ops of backward, the event loop may have its turn. */
    private async eager([inputs, targets]: Batch, scope: Scope): Promise<StepOutcome> {
        const { breather } = this;
        const outcome = scope.run(() => this.forward(inputs, targets));
        await breather.breatheIfDue();
        const steps = backwardInSteps(scope.run(() => this.scaled(outcome.loss)));
        while (!scope.run(() => steps.next()).done) await breather.breatheIfDue();
        scope.run(() => this.update());
        return outcome;
    }
}

function isOptimizer(optimizer: StepOptimizer): optimizer is StepOptimizer & Optimizer {
    return optimizer instanceof Optimizer;
}

/** Why a step of these parts is not captured, as far as that can be said without running it. */
function reasonAgainst({ model, optimizer }: StepParts): string | undefined {
    // A subclass may compute in JavaScript what a program would never compute again.
    if (!Object.hasOwn(optimizer.constructor, 'capturable'))
        return `${optimizer.constructor.name} does not say that it can be captured (static capturable = true)`;
    return hookReason(model);
}
