import { nn } from '../../../lib/index.js';
import { optionalAt, tensorAt, type GoldenCall, type GoldenCalls } from './call.js';

type LabelLoss = typeof nn.crossEntropy | typeof nn.nllLoss;
type PairLoss = typeof nn.mseLoss;

const labels =
    (loss: LabelLoss): GoldenCall =>
    (operands, options) => {
        const scores = tensorAt(operands, 0);
        const weight = optionalAt(operands, 2)?.to(scores.dtype);
        return loss(scores, tensorAt(operands, 1), { weight, ...options });
    };

const pair =
    (loss: PairLoss): GoldenCall =>
    (operands, options) =>
        loss(tensorAt(operands, 0), tensorAt(operands, 1), options);

export const lossCalls: GoldenCalls = {
    cross_entropy: labels(nn.crossEntropy),
    nll_loss: labels(nn.nllLoss),
    mse_loss: pair(nn.mseLoss),
    l1_loss: pair(nn.l1Loss),
    smooth_l1_loss: pair(nn.smoothL1Loss),
    bce_loss: pair(nn.bceLoss),
    bce_with_logits_loss: pair(nn.bceWithLogits),
};
