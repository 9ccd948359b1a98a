// Speaks the protocol of scripts/bench/pytorch_peer.py without PyTorch; the variant decides what goes wrong.
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

say({ ready: true, torch: '0.0-fake' });
createInterface(process.stdin).on('line', (line) => {
    const { command, variant, steps, threads } = JSON.parse(line);
    if (variant === 'broken') say({ ok: false, error: 'RuntimeError: this variant does not work' });
    else if (variant === 'dies') {
        process.stderr.write('Segmentation fault\n');
        process.exit(3);
    } else if (variant === 'garbage' && command === 'run') process.stdout.write('hello\n');
    else if (command === 'setup') say({ ok: threads === 2, error: `threads ${threads}` });
    else say({ ok: true, seconds: steps / 1000, loss: 1 });
});
