import { nn, type Tensor } from '../../lib/index.js';

/** Pictures of 784 pixels squeezed through 16 numbers, and drawn again from them. */
export class Autoencoder extends nn.Module implements nn.OnnxModule {
    readonly encoder = new nn.Sequential(
        new nn.Flatten(),
        new nn.Linear(784, 128),
        new nn.GELU(),
        new nn.Linear(128, 16),
    );
    readonly decoder = new nn.Sequential(new nn.Linear(16, 128), new nn.GELU(), new nn.Linear(128, 784));

    /** [N, 1, 28, 28] -> [N, 784] */
    forward(x: Tensor): Tensor {
        return this.decoder.forward(this.encoder.forward(x));
    }

    onnx(builder: nn.OnnxBuilder, x: nn.OnnxValue): nn.OnnxValue {
        return builder.layer(this.decoder, builder.layer(this.encoder, x));
    }
}
