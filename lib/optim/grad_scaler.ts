import { noGrad } from '../autograd/grad_mode.js';
import { scope } from '../autograd/scope.js';
import { run, untraced } from '../native/call.js';
import { perStep, type Scalar } from '../native/tracer.js';
import { full, tensor, zeros } from '../ops/create.js';
import { mul } from '../ops/arithmetic.js';
import { concat } from '../ops/join.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Device } from '../tensor/device.js';
import { keep } from '../tensor/lifetime.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { Tensor } from '../tensor/tensor.js';
import { clipGradNorm } from './clip.js';
import {
    requireFactors,
    requireScale,
    scalerStateNames,
    type GradScalerOptions,
    type GradScalerState,
} from './grad_scaler_options.js';
import { IterationStages, type OptimizerStage } from './iteration_stages.js';
import { Optimizer, requireOption } from './optimizer.js';
import { eachCall, scaledGradients } from './scaled_gradients.js';

export type { GradScalerOptions, GradScalerState } from './grad_scaler_options.js';

export interface ScaledStepOptions {
    /** Scale all gradients so that their norm is at most this, as `clipGradNorm`, within the update. Default: no limit. */
    readonly maxNorm?: number;
}

/** What the device counts. */
type Counted = Pick<GradScalerState, 'scale' | 'growthTracker' | 'skippedSteps' | 'skippedInRow'>;

/** The numbers of a scaler on the device. */
interface DeviceState {
    /** float32 [], and 1 / scale. */
    readonly scale: Tensor;
    readonly inverse: Tensor;
    /** int32 [3]: steps since the scale was changed, steps left out, those in a row up to now. */
    readonly counts: Tensor;
}

/**
 * Dynamic loss scaling for float16, as torch.amp.GradScaler. Gradients below 6e-8 are zero in float16: the loss is multiplied
 * by a scale before backward, and gradients by 1 / scale before they are used. A step with an infinite or NaN gradient is left
 * out, bit for bit: parameters, what the optimizer keeps and its step count stay, and the scale is halved; after
 * `growthInterval` steps without one it is doubled.
 *
 * Scale, counters and the flag live on the device, one for a scaler: no step waits for them. `getScale()`, `skippedSteps` and
 * `stateDict()` wait. Gradients are read once to look for infinities and for their norm (`maxNorm`), and once more by the
 * update, which unscales and clips them on the way and leaves `.grad` as it was: call `unscale_` first to look at gradients or
 * change them.
 *
 * A captured step holds all of it, or a part: the order of calls goes on from one to the other, so that `unscale_` may be
 * captured and `step` and `update` called outside.
 *
 * Source: Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2.
 *
 * @throws RangeError for options out of range; Error for calls out of order.
 * @example
 * import { autocast, nn, ones, optim } from 'nativegrad';
 * const model = new nn.Linear(4, 1);
 * const optimizer = new optim.Adam(model.parameters());
 * const scaler = new optim.GradScaler({ initScale: 1024 });
 * const loss = autocast('float16', () => model.forward(ones([2, 4])).to('float32').square().mean());
 * scaler.scale(loss).backward();
 * scaler.step(optimizer, { maxNorm: 1 });
 * scaler.update();
 * console.log(scaler.getScale(), scaler.skippedSteps); // 1024 0
 */
export class GradScaler {
    private readonly options: Required<GradScalerOptions>;
    private device: DeviceState | null = null;
    private readonly stages = new IterationStages(() => {
        const { scale } = this.started('step');
        return keep(untraced(() => zeros([], { dtype: 'int32', device: scale.device })));
    });
    /** What the device starts from. */
    private initial: Counted;

    constructor(options: GradScalerOptions = {}) {
        const defaults = {
            initScale: 65536,
            growthFactor: 2,
            backoffFactor: 0.5,
            growthInterval: 2000,
            enabled: true,
        };
        requireOptionNames('[GradScaler]', options, Object.keys(defaults));
        this.options = { ...defaults, ...options };
        requireScale('initScale', this.options.initScale);
        requireFactors(this.options);
        this.initial = {
            scale: this.options.initScale,
            growthTracker: 0,
            skippedSteps: 0,
            skippedInRow: 0,
        };
    }

    /** False where it does nothing. */
    get isEnabled(): boolean {
        return this.options.enabled;
    }

    /**
     * The loss times the scale, recorded on the tape; in float32 for a 0-d loss of 16 bits. A list gives a list.
     *
     * @throws Error where it lies on another device than the last one, and `update` has not ended that iteration.
     */
    scale(loss: Tensor): Tensor;
    scale(losses: Iterable<Tensor>): Tensor[];
    scale(losses: Tensor | Iterable<Tensor>): Tensor | Tensor[] {
        // A tensor is iterable as well.
        if (!(losses instanceof Tensor) && isIterable(losses))
            return Array.from(losses, (loss) => this.scaled(loss));
        return this.scaled(losses);
    }

    private scaled(loss: unknown): Tensor {
        requireTensor('GradScaler', loss, 'what scale() takes');
        return this.isEnabled ? mul(loss, this.on(loss.device).scale) : loss;
    }

    /**
     * Divides the gradients of the optimizer's parameters by the scale, in place, so that they may be looked at or clipped before
     * `step`; once between two updates.
     *
     * @throws Error where it was called already, after `step`, or where there are no gradients.
     */
    unscale_(optimizer: Optimizer): void {
        if (!this.isEnabled) return;
        const own = this.stageOf('unscale_', optimizer);
        const { inverse } = this.started('unscale_');
        const gradients = scaledGradients('unscale_', optimizer);
        eachCall(gradients, (share) => {
            run('amp_unscale', [inverse], [own.found, ...share], [], 'GradScaler');
            for (const gradient of share) gradient.version.value++;
        });
        this.stages.done('unscale_', optimizer);
    }

    /**
     * The optimizer's step with unscaled gradients, left out where one of them is infinite or NaN. With `maxNorm` returns their
     * norm before clipping, float32 []; a captured step reads it from the same options anew each time.
     *
     * @throws Error where it was called already since the last `update`, or where there are no gradients.
     */
    step(optimizer: Optimizer): void;
    step(optimizer: Optimizer, options: { readonly maxNorm: number }): Tensor;
    step(optimizer: Optimizer, options: ScaledStepOptions): Tensor | undefined;
    step(optimizer: Optimizer, options: ScaledStepOptions = {}): Tensor | undefined {
        requireOptionNames('[GradScaler]', options, ['maxNorm']);
        const maxNorm = options.maxNorm === undefined ? undefined : limitOf(options);
        if (!this.isEnabled) return stepUnscaled(optimizer, maxNorm);
        const own = this.stageOf('step', optimizer);
        const { inverse } = this.started('step');
        const limit = maxNorm === undefined ? undefined : perStep(() => limitOf(options));
        const result = scope(() => noGrad(() => this.stepWith(optimizer, own, inverse, limit)));
        this.stages.done('step', optimizer);
        return result;
    }

    private stepWith(
        optimizer: Optimizer,
        { found, stage }: OptimizerStage,
        inverse: Tensor,
        maxNorm: Scalar | undefined,
    ): Tensor | undefined {
        const gradients = scaledGradients('step', optimizer);
        if (maxNorm === undefined) {
            if (stage === 'ready')
                eachCall(gradients, (share) =>
                    run('amp_check', [inverse, ...share], [found], [], 'GradScaler'),
                );
            optimizer.stepScaled({ found, multiplier: stage === 'ready' ? inverse : null });
            return undefined;
        }
        const unscaled = stage === 'ready' ? inverse : full([], 1, { device: inverse.device });
        const squares: Tensor[] = [];
        eachCall(gradients, (share) => {
            const part = new Tensor([1], 'float64');
            run('amp_check', [unscaled, ...share], [found, part], [], 'GradScaler');
            squares.push(part);
        });
        const [multiplier, norm] = [new Tensor([], 'float32'), new Tensor([], 'float32')];
        run(
            'amp_factor',
            [unscaled, squares.length === 1 ? squares[0] : concat(squares)],
            [multiplier, norm],
            [maxNorm],
            'GradScaler',
        );
        optimizer.stepScaled({ found, multiplier });
        return norm;
    }

    /**
     * Ends an iteration, after the `step` of every optimizer: the scale shrinks where one of them found an infinite or NaN
     * gradient, and grows after `growthInterval` iterations without. `newScale` sets it instead: then nothing is counted, and
     * no optimizer need have stepped.
     *
     * @throws Error where no optimizer has come to `step` or `unscale_` since the last one; RangeError for `newScale`.
     */
    update(newScale?: number): void {
        if (!this.isEnabled) return;
        const state = this.started('update');
        if (newScale === undefined) this.updateByFound(state);
        else this.setScale(state, newScale);
        state.scale.version.value++;
        this.stages.next();
    }

    private updateByFound({ scale, inverse, counts }: DeviceState): void {
        const { options, stages } = this;
        if (!stages.hasBegun)
            throw new Error(
                '[GradScaler] update() comes after step(optimizer), which was not called since the last one',
            );
        const factors = [
            perStep(() => options.growthFactor),
            perStep(() => options.backoffFactor),
            perStep(() => options.growthInterval),
        ];
        const found = stages.list.map((own) => own.found);
        run('amp_update', [], [scale, inverse, counts, ...found], factors, 'GradScaler');
    }

    private setScale({ scale, inverse }: DeviceState, newScale: number): void {
        requireScale('newScale', newScale);
        noGrad(() => {
            scale.fill_(newScale);
            inverse.fill_(1 / Math.fround(newScale));
            for (const { found } of this.stages.list) found.fill_(0);
        });
    }

    /** The scale in use; waits for the device. 1 where the scaler is not enabled. */
    getScale(): number {
        if (!this.isEnabled) return 1;
        return this.device?.scale.item() ?? this.initial.scale;
    }

    /** Iterations left out so far; waits for the device. */
    get skippedSteps(): number {
        return this.counts().skipped;
    }

    /** @internal Of the iterations left out, all and those in a row up to now. */
    counts(): { readonly tracker: number; readonly skipped: number; readonly inRow: number } {
        if (!this.device) {
            const { growthTracker, skippedSteps, skippedInRow } = this.initial;
            return { tracker: growthTracker, skipped: skippedSteps, inRow: skippedInRow };
        }
        const [tracker = 0, skipped = 0, inRow = 0] = Array.from(this.device.counts.dataSync(), Number);
        return { tracker, skipped, inRow };
    }

    /** Waits for the device. */
    stateDict(): GradScalerState {
        const { growthFactor, backoffFactor, growthInterval } = this.options;
        const { tracker, skipped, inRow } = this.counts();
        const scale = this.device?.scale.item() ?? this.initial.scale;
        return {
            scale,
            growthFactor,
            backoffFactor,
            growthInterval,
            growthTracker: tracker,
            skippedSteps: skipped,
            skippedInRow: inRow,
        };
    }

    /**
     * Continues where the state was saved.
     *
     * @throws RangeError, before anything is changed, for numbers out of range.
     */
    loadStateDict(state: GradScalerState): void {
        requireOptionNames('[GradScaler]', state, scalerStateNames);
        const { scale, growthFactor, backoffFactor, growthInterval } = state;
        const { growthTracker, skippedSteps, skippedInRow } = state;
        requireScale('scale', scale);
        requireFactors({ ...this.options, growthFactor, backoffFactor, growthInterval });
        for (const [name, value] of Object.entries({ growthTracker, skippedSteps, skippedInRow })) {
            const isCount = Number.isSafeInteger(value) && value >= 0;
            requireOption('GradScaler', name, value, isCount, 'an integer of at least 0');
        }
        Object.assign(this.options, { growthFactor, backoffFactor, growthInterval });
        this.initial = { scale, growthTracker, skippedSteps, skippedInRow };
        this.dispose();
    }

    /** Frees what lies on the device; the next `scale` makes it anew. */
    dispose(): void {
        for (const tensor of Object.values(this.device ?? {}) as Tensor[]) tensor.dispose();
        this.device = null;
        this.stages.dispose();
    }

    [Symbol.dispose](): void {
        this.dispose();
    }

    /** The numbers on that device, made or brought there where they are not. */
    private on(device: Device): DeviceState {
        const present = this.device?.scale.device ?? device;
        if (present !== device && this.stages.hasBegun)
            throw new Error(
                `[GradScaler] scale() of a loss on ${device} between unscale_() or step() of an optimizer on ${present} and ` +
                    'update(); a scaler is for one device: make one for each',
            );
        if (present !== device) untraced(() => this.loadStateDict(this.stateDict()));
        return (this.device ??= untraced(() => noGrad(() => newDeviceState(this.initial, device))));
    }

    private started(method: string): DeviceState {
        if (this.device) return this.device;
        throw new Error(`[GradScaler] ${method}() before scale(); call scaler.scale(loss).backward() first`);
    }

    private stageOf(method: 'unscale_' | 'step', optimizer: Optimizer): OptimizerStage {
        if (!(optimizer instanceof Optimizer))
            throw new TypeError(
                `[GradScaler] ${method}() takes an optimizer such as optim.Adam, got ${describeValue(optimizer)}`,
            );
        this.started(method);
        return this.stages.before(method, optimizer);
    }
}

function newDeviceState(
    { scale, growthTracker, skippedSteps, skippedInRow }: Counted,
    device: Device,
): DeviceState {
    return {
        scale: keep(full([], scale, { device })),
        inverse: keep(full([], 1 / Math.fround(scale), { device })),
        counts: keep(tensor([growthTracker, skippedSteps, skippedInRow], { dtype: 'int32', device })),
    };
}

function isIterable(value: unknown): boolean {
    return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

/** That of a step with a limit, checked. */
function limitOf({ maxNorm = NaN }: ScaledStepOptions): number {
    requireOption('GradScaler', 'maxNorm', maxNorm, maxNorm >= 0, 'at least 0');
    return maxNorm;
}

function stepUnscaled(optimizer: Optimizer, maxNorm: number | undefined): Tensor | undefined {
    const norm = maxNorm === undefined ? undefined : clipGradNorm(optimizer.parameters, maxNorm);
    optimizer.step();
    return norm;
}
