// Imported before the library: the plugin of these tests is the simulator's.
import { resolve } from 'node:path';

process.env.NATIVEGRAD_CUDA ??= resolve('build-sim', 'libnativegrad_cuda_sim.so');
