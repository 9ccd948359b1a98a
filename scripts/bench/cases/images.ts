import { noGrad, randn, type Tensor } from '../../../lib/index.js';

/** Random images [N, C, H, W] whose channels lie side by side, as our convolutions leave them. */
export function randomImages(batch: number, channels: number, side: number): Tensor {
    return noGrad(() => randn([batch, side, side, channels]).permute([0, 3, 1, 2]));
}

/** Code that makes the same for PyTorch in a memory format. */
export function torchImages(name: string, shape: readonly number[], format: string): string {
    return `${name} = torch.randn(${shape.join(', ')}).to(memory_format=${format})`;
}
