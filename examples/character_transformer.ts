/**
 * A character-level transformer that learns to sort: it reads 'dbca>' and goes on 'abcd', letter by letter. Its attention is
 * made of the ops: linear maps, products, a causal mask and a softmax.
 * Usage: npx tsx examples/character_transformer.ts
 */
import {
    arange,
    capture,
    concat,
    Generator,
    manualSeed,
    nn,
    noGrad,
    optim,
    randint,
    scaledDotProductAttention,
    tensor,
    type Tensor,
} from '../lib/index.js';

const alphabet = 'abcdefgh>';
const letters = 5;
const length = 2 * letters + 1;
const width = 48;
const heads = 4;

/** Causal self-attention, from linear maps and `scaledDotProductAttention`. */
class SelfAttention extends nn.Module {
    readonly project = new nn.Linear(width, 3 * width);
    readonly join = new nn.Linear(width, width);

    forward(x: Tensor): Tensor {
        const [batch = 0, time = 0] = x.shape;
        const parts = this.project
            .forward(x)
            .reshape([batch, time, 3, heads, width / heads])
            .unbind(2);
        const [query, key, value] = parts.map((part) => part.permute(0, 2, 1, 3)) as [Tensor, Tensor, Tensor];
        const seen = scaledDotProductAttention(query, key, value, { isCausal: true });
        return this.join.forward(seen.transpose(1, 2).reshape([batch, time, width]));
    }
}

class Block extends nn.Module {
    readonly norm1 = new nn.LayerNorm(width);
    readonly attention = new SelfAttention();
    readonly norm2 = new nn.LayerNorm(width);
    readonly feed = new nn.Sequential(
        new nn.Linear(width, 4 * width),
        new nn.GELU(),
        new nn.Linear(4 * width, width),
    );

    forward(x: Tensor): Tensor {
        const y = x.add(this.attention.forward(this.norm1.forward(x)));
        return y.add(this.feed.forward(this.norm2.forward(y)));
    }
}

class Transformer extends nn.Module {
    readonly token = new nn.Embedding(alphabet.length, width);
    readonly position = new nn.Embedding(length, width);
    readonly blocks = new nn.Sequential(new Block(), new Block());
    readonly norm = new nn.LayerNorm(width);
    readonly head = new nn.Linear(width, alphabet.length);

    /** index [N, T] -> scores of each next letter [N, T, letters]. */
    forward(index: Tensor): Tensor {
        const places = arange(0, index.shape[1] ?? 0, 1, { dtype: 'int64' });
        const x = this.token.forward(index).add(this.position.forward(places));
        return this.head.forward(this.norm.forward(this.blocks.forward(x)));
    }
}

/** Texts such as 'dbca>abcd', as numbers [count, length]. */
function texts(count: number, generator: Generator): Tensor {
    const drawn = randint(0, alphabet.length - 1, [count, letters], { dtype: 'int32', generator });
    const rows = (drawn.toArray() as number[][]).map((row) => [
        ...row,
        alphabet.length - 1,
        ...row.toSorted((a, b) => a - b),
    ]);
    return tensor(rows, { dtype: 'int64' });
}

/** The texts with their second halves written by the model, the likeliest letter at a time. */
function complete(model: Transformer, starts: Tensor): Tensor {
    let text = starts;
    for (let i = 0; i < letters; i++) {
        const next = model.forward(text).select(1, -1).argmax(-1).to('int64').unsqueeze(1);
        text = concat([text, next], 1);
    }
    return text;
}

const readable = (text: Tensor): string =>
    Array.from(text.to('int32').dataSync() as Int32Array, (letter) => alphabet[letter]).join('');

manualSeed(1);
const model = new Transformer();
const steps = 250;
const optimizer = new optim.AdamW(model.parameters(), { lr: 0.003 });
const schedule = new optim.OneCycleLR(optimizer, { maxLr: 0.003, totalSteps: steps });
const generator = new Generator(2);

/** Each letter behind the '>' from all before it. */
const step = capture((batch: Tensor) => {
    optimizer.zeroGrad();
    const scores = model.forward(batch.slice(1, 0, -1)).slice(1, letters);
    const loss = nn.crossEntropy(
        scores.reshape([-1, alphabet.length]),
        batch.slice(1, letters + 1).reshape([-1]),
    );
    loss.backward();
    optimizer.step();
    schedule.step();
    return loss;
});
for (let i = 1; i <= steps; i++) {
    const value = step(texts(64, generator)).item();
    if (i % 50 === 0) console.log(`step ${i}: loss ${value.toFixed(4)}`);
}

// New texts: of 32,768 possible ones the training has seen less than half.
const unseen = texts(200, new Generator(3));
const written = noGrad(() => complete(model, unseen.slice(1, 0, letters + 1)));
console.log(readable(written.select(0, 0)));
const right = written.eq(unseen).all(1).to('float32').mean().item();
console.log(`sorted right ${right.toFixed(4)}`);
