export {
    Optimizer,
    type CommonOptions,
    type OptimizerState,
    type ParamGroup,
    type Parameters,
} from './optimizer.js';
export { Adam, AdamW, type AdamOptions } from './adam.js';
export { SGD, type SGDOptions } from './sgd.js';
