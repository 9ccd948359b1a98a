import { nn, type Tensor } from '../../lib/index.js';

/** y = relu(x + norm(conv(relu(norm(conv(x)))))); a convolution of one pixel brings x to other channels (He et al. 2016). */
export class ResidualBlock extends nn.Module implements nn.OnnxModule {
    readonly body: nn.Sequential;
    readonly shortcut: nn.SequentialLayer;

    constructor(inChannels: number, channels: number, stride: number) {
        super();
        this.body = new nn.Sequential(
            new nn.Conv2d(inChannels, channels, 3, { stride, padding: 1, bias: false }),
            new nn.BatchNorm2d(channels),
            new nn.ReLU(),
            new nn.Conv2d(channels, channels, 3, { padding: 1, bias: false }),
            new nn.BatchNorm2d(channels),
        );
        this.shortcut =
            stride === 1 && inChannels === channels
                ? new nn.Identity()
                : new nn.Sequential(new nn.Conv2d(inChannels, channels, 1, { stride, bias: false }));
    }

    /** [N, inChannels, H, W] -> [N, channels, H / stride, W / stride] */
    forward(x: Tensor): Tensor {
        const [inner, outer] = [this.body.forward(x), this.shortcut.forward(x)] as [Tensor, Tensor];
        return inner.add(outer).relu();
    }

    onnx(builder: nn.OnnxBuilder, x: nn.OnnxValue): nn.OnnxValue {
        const parts = [builder.layer(this.body, x), builder.layer(this.shortcut, x)];
        const sum = builder.operator('Add', parts, (inner, outer) => inner.add(outer));
        return builder.operator('Relu', [sum], (y) => y.relu());
    }
}
