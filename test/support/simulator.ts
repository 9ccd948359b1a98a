import { cuda, defaultDevice } from '../../lib/index.js';

/** Whether new tensors lie on the simulated GPU, on which tests take fewer steps. */
export const onSimulator =
    defaultDevice() !== 'cpu' && cuda.deviceInfo(defaultDevice()).name === 'Simulated GPU';
