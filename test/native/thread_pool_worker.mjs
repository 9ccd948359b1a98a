// Computes in a worker thread of its own and posts what came out.
import { parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { checksums } = await import('./thread_pool_work.ts');
parentPort.postMessage(checksums(workerData.rounds));
