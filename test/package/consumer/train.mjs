// A user's first program, with import: prints the losses of a few steps as JSON.
import * as nativegrad from 'nativegrad';
import { createRequire } from 'node:module';
import { trainXor } from './train_xor.cjs';

const required = createRequire(import.meta.url)('nativegrad');
const losses = trainXor(nativegrad);
const sameClass = required.Tensor === nativegrad.Tensor;
const crossInstance = required.zeros([2]) instanceof nativegrad.Tensor;
console.log(JSON.stringify({ losses, sameClass, crossInstance }));
