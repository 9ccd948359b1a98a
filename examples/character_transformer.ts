/**
 * A character-level transformer that learns to write from the project's own documents: from the characters so far it tells the next
 * one. On paragraphs that it never saw it must do better than counts of single characters and pairs.
 * Usage: npx tsx examples/character_transformer.ts
 */
import {
    capture,
    Generator,
    manualSeed,
    nn,
    noGrad,
    optim,
    rand,
    randint,
    tensor,
    type Tensor,
} from '../lib/index.js';
import { countingLoss, encode, projectText } from './modules/project_text.js';
import { Transformer } from './modules/transformer.js';

const length = 64;
const steps = 500;
const text = projectText();
const alphabet = [...new Set(text.training)].sort();
const symbols = alphabet.length;
const [training, heldOut] = [text.training, text.heldOut].map((part) => encode(part, alphabet)) as [
    number[],
    number[],
];

manualSeed(1);
const model = new Transformer({ symbols, length, width: 64, heads: 4, blocks: 2 });
const optimizer = new optim.AdamW(model.parameters(), { lr: 0.005 });
const schedule = new optim.OneCycleLR(optimizer, { maxLr: 0.005, totalSteps: steps });

/** Of each character of texts [N, length + 1] but their first ones, from all before it. */
const lossOf = (texts: Tensor): Tensor => {
    const scores = model.forward(texts.slice(1, 0, -1));
    return nn.crossEntropy(scores.reshape([-1, symbols]), texts.slice(1, 1).reshape([-1]));
};

const step = capture((texts: Tensor) => {
    optimizer.zeroGrad();
    const loss = lossOf(texts);
    loss.backward();
    optimizer.step();
    schedule.step();
    return loss;
});

function textsAt(characters: readonly number[], starts: readonly number[]): Tensor {
    return tensor(
        starts.map((start) => characters.slice(start, start + length + 1)),
        { dtype: 'int64' },
    );
}

const generator = new Generator(2);
for (let i = 1; i <= steps; i++) {
    const starts = randint(0, training.length - length, [32], {
        dtype: 'int32',
        generator,
    }).toArray() as number[];
    const value = step(textsAt(training, starts)).item();
    if (i % 100 === 0) console.log(`step ${i}: loss ${value.toFixed(4)}`);
}

/** Goes on with a text, a character drawn at a time; below 1, `temperature` prefers likely ones. */
function write(start: string, count: number, temperature: number): string {
    const written = encode(start, alphabet);
    for (let i = 0; i < count; i++) {
        const seen = tensor([written.slice(-length)], { dtype: 'int64' });
        const scores = model.forward(seen).select(1, -1).select(0, 0);
        // The largest of scores with Gumbel noise is a draw from their softmax.
        const noise = rand([symbols], { generator }).log().neg().log().neg();
        written.push(scores.div(temperature).add(noise).argmax().item());
    }
    return written.map((i) => alphabet[i]).join('');
}

model.eval();
console.log(`\n${noGrad(() => write('The ', 400, 0.7))}\n`);

const windows = Array.from({ length: Math.floor((heldOut.length - 1) / length) }, (_, i) => i * length);
const loss = noGrad(() => lossOf(textsAt(heldOut, windows)).item());
const single = countingLoss(training, heldOut, symbols, 0);
const pairs = countingLoss(training, heldOut, symbols, 1);
console.log(`${heldOut.length} characters held out, nats per character: ${loss.toFixed(4)}`);
console.log(
    `better than counts of single characters by ${(single - loss).toFixed(4)} (they take ${single.toFixed(4)})`,
);
console.log(`better than counts of pairs by ${(pairs - loss).toFixed(4)} (they take ${pairs.toFixed(4)})`);
