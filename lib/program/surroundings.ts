import type { TensorRecord } from '../native/call.js';
import type { Guard } from '../native/tracer.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ProgramTracer } from './program_tracer.js';

/** A tensor from outside that a program uses, as it was when the step was captured. */
interface Known {
    readonly tensor: Tensor;
    readonly id: number;
    readonly needsGrad: boolean;
}

/** What a program depends on besides its inputs: tensors, gradients from before the step, modes. */
export class Surroundings {
    private readonly known: readonly Known[];
    private readonly guards: readonly Guard[];
    private readonly names: ReadonlyMap<TensorRecord, string>;
    /** Gradients from before the step that it looks at. */
    readonly gradientsBefore: readonly { readonly leaf: Tensor; readonly before: Tensor | null }[];

    constructor(tracer: ProgramTracer) {
        this.known = [...tracer.outside].map((tensor) => ({
            tensor,
            id: tensor.id,
            needsGrad: tensor.needsGrad,
        }));
        this.guards = tracer.guards;
        this.names = tracer.names;
        this.gradientsBefore = [...tracer.gradients.values()].filter(
            ({ dependsOnBefore }) => dependsOnBefore,
        );
    }

    /** What has changed, so that the step would do something else now; undefined where nothing has. */
    get change(): string | undefined {
        for (const { tensor, id, needsGrad } of this.known)
            if (tensor.id !== id || tensor.needsGrad !== needsGrad)
                return this.changeOfTensor(tensor, needsGrad);
        for (const { leaf, before } of this.gradientsBefore)
            if (leaf.storedGrad !== before) return this.changeOfGradient(leaf, before);
        for (const { holds, change } of this.guards) if (!holds()) return change();
        return undefined;
    }

    private changeOfTensor(x: Tensor, neededGrad: boolean): string {
        const what = this.names.get(x) ?? `a tensor of shape ${shapeText(x.shape)} that it uses`;
        if (x.isDisposed) return `${what} was disposed`;
        if (x.needsGrad !== neededGrad)
            return `${what} ${neededGrad ? 'requires no gradient any more' : 'requires a gradient now'}`;
        return `${what} has other memory now`;
    }

    private changeOfGradient(leaf: Tensor, before: Tensor | null): string {
        const what = this.names.get(leaf) ?? `a parameter of shape ${shapeText(leaf.shape)}`;
        const now =
            leaf.storedGrad === null ? 'no gradient' : before === null ? 'a gradient' : 'another gradient';
        return `${what} has ${now} before the step now`;
    }
}
