/**
 * A transformer that learns to sort: it reads 'dbca>' and goes on 'abcd', letter by letter, for letters that it never saw together.
 * Usage: npx tsx examples/letter_sorter.ts
 */
import {
    capture,
    concat,
    Generator,
    manualSeed,
    nn,
    noGrad,
    optim,
    randint,
    tensor,
    type Tensor,
} from '../lib/index.js';
import { Transformer } from './modules/transformer.js';

const alphabet = 'abcdefgh>';
const letters = 5;
const length = 2 * letters + 1;

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
const model = new Transformer({ symbols: alphabet.length, length, width: 48, heads: 4, blocks: 2 });
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
