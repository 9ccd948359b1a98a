// Speaks the protocol of scripts/bench/peer.py without Python; the statement decides what goes wrong.
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const works = new Map();

const answers = {
    setup: ({ id, statement, data }) => {
        works.set(id, statement);
        if (statement === 'broken') return { ok: false, error: 'RuntimeError: this work does not work' };
        return { ok: data === 'folder', error: `data ${data}` };
    },
    run: ({ id, count }) => ({ ok: works.has(id), seconds: count / 1000, error: `no work ${id}` }),
    drop: ({ id }) => ({ ok: works.delete(id) }),
};

say({ ready: true, version: '0.0-fake' });
createInterface(process.stdin).on('line', (line) => {
    const { command, ...request } = JSON.parse(line);
    const statement = request.statement ?? works.get(request.id);
    if (statement === 'dies') {
        process.stderr.write('Segmentation fault\n');
        process.exit(3);
    }
    if (statement === 'garbage' && command === 'run') process.stdout.write('hello\n');
    else say(answers[command](request));
});
