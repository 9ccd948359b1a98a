import { cuda, defaultDevice, type Device } from '../../lib/index.js';

/** Whether a GPU is simulated, on which tests take fewer steps. */
export const isSimulated = (device: Device = 'cuda'): boolean =>
    cuda.deviceInfo(device).name === 'Simulated GPU';

/** Whether new tensors lie on the simulated GPU. */
export const onSimulator = defaultDevice() !== 'cpu' && isSimulated(defaultDevice());
