import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Tensor } from '../tensor/tensor.js';
import { runnerOptions } from './capture.js';
import type { CaptureOptions, CaptureStatistics, RunOptions } from './options.js';
import { StepRunner } from './step_runner.js';

/** The steps of several models as one program; results are lists with an entry for each model that goes on. */
export interface CapturedModels<Inputs extends readonly Tensor[], Result> {
    /** One step of each model on the same inputs. */
    (...inputs: Inputs): Result[];
    /** One step of each model, each on inputs of its own. */
    each(inputs: readonly Inputs[]): Result[];
    /** `steps` steps in the background. Each input has one more axis in front, with an entry a step; so have the results. */
    run(
        steps: number,
        inputs: Inputs,
        options?: RunOptions<Result[]>,
    ): Promise<{ readonly steps: number; readonly results: Result[] }>;
    /** As `run`, each model on inputs of its own. */
    runEach(
        steps: number,
        inputs: readonly Inputs[],
        options?: RunOptions<Result[]>,
    ): Promise<{ readonly steps: number; readonly results: Result[] }>;
    /** Goes on without these models, numbered as in the list of steps. */
    drop(...models: readonly number[]): void;
    /** The numbers of the models that go on. */
    readonly models: readonly number[];
    readonly statistics: CaptureStatistics;
}

/**
 * Captures the steps of several models of one kind (same layers, loss and kind of optimizer; weights, learning rates, decay,
 * dropout probabilities and seeds of their own) and runs them side by side: each thread takes some of the models and runs
 * their whole steps, with one fork for all and temporaries that stay in its cache. What each model computes is what its own
 * `capture(step)` would compute, bit for bit. Small networks, of which one alone cannot fill the machine, gain most.
 *
 * On a GPU a step of all is one graph whose launches are as many as those of one model; `statistics.programs[i].execution`
 * names the kernels that are launched apart. A wrong value (a label, an index) is told with the number of its model.
 *
 * Draws from the default generator follow one another model by model; give each model a `Generator` of its own for the
 * numbers that it would have alone.
 *
 * @throws CaptureError when a step cannot be captured, or when the steps differ in an op or a shape; Error when one writes
 * what another one uses.
 * @example
 * import { captureModels, nn, optim, randint, randn } from 'nativegrad';
 * const steps = [0.1, 0.01].map((lr) => {
 *     const model = new nn.Linear(4, 3);
 *     const optimizer = new optim.SGD(model.parameters(), { lr });
 *     return (x, y) => {
 *         optimizer.zeroGrad();
 *         const loss = nn.crossEntropy(model.forward(x), y);
 *         loss.backward();
 *         optimizer.step();
 *         return loss;
 *     };
 * });
 * const train = captureModels(steps);
 * const losses = train(randn([8, 4]), randint(0, 3, [8]));
 * console.log(losses.length); // 2
 */
export function captureModels<Inputs extends readonly Tensor[] = Tensor[], Result = unknown>(
    steps: readonly ((...inputs: Inputs) => Result)[],
    options: CaptureOptions = {},
): CapturedModels<Inputs, Result> {
    requireOptionNames('[captureModels]', options, ['validate', 'fuse', 'gradients']);
    if (!isList(steps) || steps.length === 0 || !steps.every((step) => typeof step === 'function'))
        throw new TypeError(
            `[captureModels] expected a list with the step of each model as a function of tensors, got ${describeValue(steps)}`,
        );
    const runner = new StepRunner(steps, runnerOptions('captureModels', options));
    let models = steps.map((_, i) => i);
    const forAll = (inputs: Inputs): Inputs[] => models.map(() => inputs);
    const own = (inputs: readonly Inputs[]): readonly Inputs[] => {
        if (isList(inputs) && inputs.length === models.length && inputs.every(isList)) return inputs;
        throw new TypeError(
            `[captureModels] expected a list of inputs for each of the ${models.length} models, got ${describeValue(inputs)}`,
        );
    };
    const train = (...inputs: Inputs): Result[] => runner.call(forAll(inputs));
    Object.defineProperty(train, 'statistics', { get: () => runner.statistics });
    Object.defineProperty(train, 'models', { get: () => models });
    return Object.assign(train, {
        each: (inputs: readonly Inputs[]) => runner.call(own(inputs)),
        run: async (steps: number, inputs: Inputs, options: RunOptions<Result[]> = {}) =>
            runner.run(steps, forAll(inputs), options),
        runEach: async (steps: number, inputs: readonly Inputs[], options: RunOptions<Result[]> = {}) =>
            runner.run(steps, own(inputs), options),
        drop: (...dropped: readonly number[]): void => {
            for (const model of dropped) {
                if (!models.includes(model))
                    throw new RangeError(
                        `[captureModels] model ${describeValue(model)} is none of those that go on: ${models.join(', ')}`,
                    );
            }
            const left = models.filter((model) => !dropped.includes(model));
            if (left.length === 0) throw new RangeError('[captureModels] at least one model must go on');
            runner.keep(left.map((model) => models.indexOf(model)));
            models = left;
        },
    }) as CapturedModels<Inputs, Result>;
}
