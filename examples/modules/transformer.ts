import { arange, mul, nn, tensor, where, type Tensor } from '../../lib/index.js';

export interface TransformerOptions {
    /** Kinds of symbols. */
    readonly symbols: number;
    /** The longest text. */
    readonly length: number;
    readonly width: number;
    readonly heads: number;
    readonly blocks: number;
}

/** True where a place, down, must not see another one, across: [time, time]. */
function laterPlaces(time: number): Tensor {
    const places = arange(0, time);
    return places.unsqueeze(0).gt(places.unsqueeze(1));
}

/** Causal self-attention out of products and a softmax: softmax(q k^T / sqrt(d), masked) v for each head (Vaswani et al. 2017). */
export class SelfAttention extends nn.Module implements nn.OnnxModule {
    readonly project: nn.Linear;
    readonly join: nn.Linear;

    constructor(
        readonly width: number,
        readonly heads: number,
    ) {
        super();
        this.project = new nn.Linear(width, 3 * width);
        this.join = new nn.Linear(width, width);
    }

    private get scale(): number {
        return Math.sqrt(this.heads / this.width);
    }

    /** [N, T, width] -> [N, T, width] */
    forward(x: Tensor): Tensor {
        const [batch = 0, time = 0] = x.shape;
        const parts = this.project.forward(x).reshape([batch, time, 3, this.heads, -1]).unbind(2);
        const [query, key, value] = parts.map((part) => part.transpose(1, 2)) as [Tensor, Tensor, Tensor];
        const scores = query.matmul(key.transpose(2, 3)).mul(this.scale);
        const weights = scores.maskedFill(laterPlaces(time), -Infinity).softmax(-1);
        return this.join.forward(weights.matmul(value).transpose(1, 2).reshape([batch, time, this.width]));
    }

    onnx(builder: nn.OnnxBuilder, x: nn.OnnxValue): nn.OnnxValue {
        const { heads, width } = this;
        const [, time] = x.shape as [string, number];
        const reshaped = (value: nn.OnnxValue, ...sizes: number[]): nn.OnnxValue =>
            builder.operator(
                'Reshape',
                [value, builder.tensor(tensor([0, ...sizes], { dtype: 'int64' }))],
                (y) => y.reshape([y.shape[0] ?? 0, ...sizes]),
            );
        const permuted = (value: nn.OnnxValue, ...axes: number[]): nn.OnnxValue =>
            builder.operator('Transpose', [value], (y) => y.permute(...axes), { perm: { ints: axes } });
        const product = (a: nn.OnnxValue, b: nn.OnnxValue): nn.OnnxValue =>
            builder.operator('MatMul', [a, b], (p, q) => p.matmul(q));
        const split = reshaped(builder.layer(this.project, x), time, 3, heads, width / heads);
        const parts = permuted(split, 2, 0, 3, 1, 4);
        const part = (i: number): nn.OnnxValue =>
            builder.operator(
                'Gather',
                [parts, builder.tensor(tensor(i, { dtype: 'int64' }))],
                (y) => y.select(0, i),
                { axis: { int: 0 } },
            );
        const scale = builder.tensor(tensor(this.scale));
        const scores = builder.operator('Mul', [product(part(0), permuted(part(1), 0, 1, 3, 2)), scale], mul);
        const blocked = [builder.tensor(laterPlaces(time)), builder.tensor(tensor(-Infinity)), scores];
        const masked = builder.operator('Where', blocked, where);
        const weights = builder.operator('Softmax', [masked], (y) => y.softmax(-1), { axis: { int: -1 } });
        const seen = permuted(product(weights, part(2)), 0, 2, 1, 3);
        return builder.layer(this.join, reshaped(seen, time, width));
    }
}

/** y = x + attention(norm(x)), then y + feed(norm(y)). */
export class Block extends nn.Module implements nn.OnnxModule {
    readonly attend: nn.Sequential;
    readonly feed: nn.Sequential;

    constructor(width: number, heads: number) {
        super();
        this.attend = new nn.Sequential(new nn.LayerNorm(width), new SelfAttention(width, heads));
        this.feed = new nn.Sequential(
            new nn.LayerNorm(width),
            new nn.Linear(width, 4 * width),
            new nn.GELU(),
            new nn.Linear(4 * width, width),
        );
    }

    forward(x: Tensor): Tensor {
        const y = x.add(this.attend.forward(x));
        return y.add(this.feed.forward(y));
    }

    onnx(builder: nn.OnnxBuilder, x: nn.OnnxValue): nn.OnnxValue {
        const plus = (a: nn.OnnxValue, b: nn.OnnxValue): nn.OnnxValue =>
            builder.operator('Add', [a, b], (p, q) => p.add(q));
        const y = plus(x, builder.layer(this.attend, x));
        return plus(y, builder.layer(this.feed, y));
    }
}

/** Gives, at each place of a text, scores of the symbol that comes next, from those up to there. */
export class Transformer extends nn.Module implements nn.OnnxModule {
    readonly token: nn.Embedding;
    readonly position: nn.Embedding;
    /** Of the blocks' output. */
    readonly tail: nn.Sequential;

    constructor({ symbols, length, width, heads, blocks }: TransformerOptions) {
        super();
        this.token = new nn.Embedding(symbols, width);
        this.position = new nn.Embedding(length, width);
        this.tail = new nn.Sequential(
            ...Array.from({ length: blocks }, () => new Block(width, heads)),
            new nn.LayerNorm(width),
            new nn.Linear(width, symbols),
        );
    }

    /** index [N, T] -> scores [N, T, symbols] */
    forward(index: Tensor): Tensor {
        const places = arange(0, index.shape[1] ?? 0, 1, { dtype: 'int64' });
        return this.tail.forward(this.token.forward(index).add(this.position.forward(places)));
    }

    onnx(builder: nn.OnnxBuilder, index: nn.OnnxValue): nn.OnnxValue {
        const [, time] = index.shape as [string, number];
        const places = builder.tensor(arange(0, time, 1, { dtype: 'int64' }));
        const inputs = [builder.layer(this.token, index), builder.layer(this.position, places)];
        return builder.layer(
            this.tail,
            builder.operator('Add', inputs, (a, b) => a.add(b)),
        );
    }
}
