import { currentScope } from '../tensor/lifetime.js';
import type { Tensor } from '../tensor/tensor.js';
import { enableGrad } from './grad_mode.js';
import { recordNodes, type GradNode } from './node.js';
import { Scope } from './scope.js';

interface Outside {
    readonly tensor: Tensor;
    readonly version: number;
}

/**
 * A stretch of the tape whose saved tensors were freed after forward. The first node of it that backward comes to runs the
 * forward again, and each node takes what its twin of the second run has saved; so the backward pass itself is that of a
 * graph that had kept everything, bit for bit.
 */
export class RecomputedStretch {
    /** Tensors of the second run, with the number of places that still need them. */
    private readonly users = new Map<Tensor, number>();
    /** The stretch whose second run made this one. */
    private parent: RecomputedStretch | null = null;

    private constructor(
        private readonly again: () => unknown,
        private nodes: GradNode[],
        private readonly outside: readonly Outside[],
    ) {}

    /**
     * Runs `first`, of which only the result lives on; `again` runs it a second time, with the same random numbers. `inputs`
     * must then be as they were.
     */
    static run<T>(inputs: readonly Tensor[], first: () => T, again: () => unknown): T {
        const versions = inputs.map(asOutside);
        const scope = new Scope();
        try {
            const { result, nodes } = recordNodes(() => scope.run(first));
            scope.releaseOnly(result);
            const made = scope.members;
            const saved = new Set(nodes.flatMap((node) => node.savedTensors).filter((x) => !made.has(x)));
            const outside = [...versions, ...[...saved].map(asOutside)];
            const stretch = new RecomputedStretch(again, nodes, outside);
            for (const node of nodes) node.forget(stretch);
            return result;
        } finally {
            scope.dispose();
        }
    }

    /** What the second run needs of the first one's surroundings. */
    get needed(): readonly Tensor[] {
        return this.outside.map(({ tensor }) => tensor);
    }

    /** Runs forward again and fills the nodes. */
    restore(): void {
        this.requireUnchanged();
        const scope = new Scope();
        try {
            const { nodes } = recordNodes(() => scope.run(() => enableGrad(this.again)));
            this.requireSame(nodes);
            this.nodes.forEach((node, i) => {
                const twin = nodes[i];
                if (twin) node.takeOver(twin);
            });
            this.countUsers(scope.members);
            for (const x of this.users.keys()) {
                scope.members.delete(x);
                currentScope()?.add(x);
            }
        } finally {
            scope.dispose();
        }
        // The nodes have what they need of them.
        this.parent?.release(this.needed);
    }

    private countUsers(made: ReadonlySet<unknown>): void {
        const inner = new Set<RecomputedStretch>();
        for (const node of this.nodes) {
            const { stretch } = node;
            if (stretch && stretch !== this) inner.add(stretch);
            else this.use(node.savedTensors, made);
        }
        for (const stretch of inner) {
            stretch.parent = this;
            this.use(stretch.needed, made);
        }
    }

    /** Notes a place that needs these tensors, as far as they are of a second run. */
    private use(tensors: readonly Tensor[], made?: ReadonlySet<unknown>): void {
        for (const x of tensors) {
            const count = this.users.get(x) ?? 0;
            if (made ? made.has(x) : count > 0) this.users.set(x, count + 1);
            else this.parent?.use([x]);
        }
    }

    /** A place is done with these tensors: those that no other one needs are freed. */
    release(tensors: readonly Tensor[]): void {
        for (const x of tensors) {
            const count = this.users.get(x);
            if (count === undefined) this.parent?.release([x]);
            else if (count > 1) this.users.set(x, count - 1);
            else {
                this.users.delete(x);
                x.dispose();
            }
        }
    }

    /** Another node now stands for one of these, in a stretch inside of another. */
    replace(twin: GradNode, node: GradNode): void {
        this.nodes = this.nodes.map((own) => (own === twin ? node : own));
    }

    private requireUnchanged(): void {
        for (const { tensor, version } of this.outside) {
            const what = `a tensor of shape [${tensor.shape.join(', ')}] that the function of checkpoint() uses`;
            if (tensor.isDisposed)
                throw new Error(`[checkpoint] ${what} was disposed before backward(); keep() it until then`);
            if (tensor.version.value !== version)
                throw new Error(
                    `[checkpoint] ${what} was changed in place since (version ${version}, now ${tensor.version.value}); ` +
                        'call backward() before, or use the out-of-place op',
                );
        }
    }

    private requireSame(nodes: readonly GradNode[]): void {
        const [then, now] = [this.nodes, nodes].map((list) => list.map(({ op }) => op));
        if (then?.join() === now?.join()) return;
        const place = Math.max(then?.findIndex((op, i) => op !== now?.[i]) ?? 0, 0);
        throw new Error(
            `[checkpoint] the function took another course in backward: of ${then?.length} ops the one at ${place} was ` +
                `${then?.[place]}, now of ${now?.length} it is ${now?.[place] ?? 'none'}; it must depend on its inputs alone`,
        );
    }
}

function asOutside(tensor: Tensor): Outside {
    return { tensor, version: tensor.version.value };
}
