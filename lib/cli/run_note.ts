import type { Module } from '../nn/module.js';
import type { Device } from '../tensor/device.js';
import { placeText } from './device.js';

/** What a run is, as MLflow shows it above the run's figures (Markdown): model, place and command. */
export function runNote({
    model,
    device,
    command,
}: {
    readonly model: Module;
    readonly device: Device;
    readonly command: string;
}): string {
    // As code, in which no sign of it means anything.
    return `${modelText(model)}; ${placeText(device)}\n\n${command.replaceAll(/^/gm, '    ')}`;
}

/** `Flatten, Linear(784, 10); 7,850 parameters`. */
function modelText(model: Module): string {
    const layers = model
        .children()
        .map((layer) => String(layer).replaceAll(/\s+/g, ' ').replaceAll('()', ''));
    const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
    return `${layers.join(', ')}; ${parameters.toLocaleString('en-US')} parameters`;
}
