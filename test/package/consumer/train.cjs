// The same with require.
const nativegrad = require('nativegrad');
const { trainXor } = require('./train_xor.cjs');

async function main() {
    const losses = trainXor(nativegrad);
    const imported = await import('nativegrad');
    const sameClass = imported.Tensor === nativegrad.Tensor;
    const crossInstance = imported.zeros([2]) instanceof nativegrad.Tensor;
    console.log(JSON.stringify({ losses, sameClass, crossInstance }));
}

main();
