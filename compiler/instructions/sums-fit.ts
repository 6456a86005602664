/** Sums of bytes times weights that a block kernel needs as they are, not modulo 2^32: it has 256 times the sum, so 24 bits. */

/** What biases may be where `sumsFit` decides on the actual sums. */
export const fittingBias = [-(2 ** 22), 2 ** 22] as const;

/** The reason why some channel's sum may not have 24 bits, or undefined. Weights are a row of equal length for each bias. */
export function sumsFit(weights: Int32Array, bias: Int32Array): string | undefined {
  const K = weights.length / bias.length;
  const wide = bias.findIndex((b, o) => {
    const most = weights.subarray(o * K, (o + 1) * K).reduce((sum, w) => sum + 128 * Math.abs(w), Math.abs(b));
    return most >= 2 ** 23;
  });
  return wide < 0 ? undefined : `channel ${wide} may sum up to more than 24 bits`;
}
