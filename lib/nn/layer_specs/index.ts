import { activations, basics } from './basics.js';
import { convolutions, poolings } from './images.js';
import { normalizations } from './norms.js';
import { sequences } from './sequences.js';
import type { LayerSpec } from './spec.js';

/** Every layer that a saved architecture may hold, but for `Sequential`. */
export const layerSpecs: ReadonlyMap<string, LayerSpec> = new Map(
    [...basics, ...activations, ...convolutions, ...poolings, ...normalizations, ...sequences].map((rule) => [
        rule.type,
        rule,
    ]),
);
